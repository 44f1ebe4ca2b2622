"""Names of images: `docker.io/library/busybox:latest`, which a person writes as `busybox`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dockerlab.engine.faults import BadParameter

__all__ = ["Reference", "familiar", "normal", "parse", "parse_tag"]

HUB, OLD_HUB, OFFICIAL, LATEST = "docker.io", "index.docker.io", "library/", "latest"
LONGEST = 255
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
DOMAIN = re.compile(rf"(?:{LABEL}(?:\.{LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
PATH = re.compile(rf"{PART}(?:/{PART})*")
TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
IDENTITY = re.compile(r"[a-f0-9]{64}")
INVALID = "invalid reference format"


@dataclass(frozen=True, slots=True)
class Reference:
    """A name with the registry it belongs to, and a tag or a digest or neither."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The whole name, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def repository(self) -> str:
        """The name as a person writes it, without tag and digest."""
        return self.path.removeprefix(OFFICIAL) if self.domain == HUB else self.name

    def __str__(self) -> str:
        """The name as a person writes it: what `docker images` shows."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    def tagged(self) -> Reference:
        """Give the same with the tag `latest`, if it has neither tag nor digest."""
        return self if self.tag or self.digest else Reference(self.domain, self.path, LATEST)


def parse(text: str) -> Reference:
    """Read a reference. Raises BadParameter in Docker's words."""
    if IDENTITY.fullmatch(text):
        raise BadParameter(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise BadParameter(INVALID)
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not TAG.fullmatch(tag):
        raise BadParameter(INVALID)
    domain, path = _split(f"{head}{slash}{last}")
    if path != path.lower():
        raise BadParameter(f"{INVALID}: repository name ({path}) must be lowercase")
    if not DOMAIN.fullmatch(domain) or not PATH.fullmatch(path):
        raise BadParameter(INVALID)
    if len(f"{domain}/{path}") > LONGEST:
        raise BadParameter(f"repository name must not be more than {LONGEST} characters")
    if at and not SHA256.fullmatch(digest):
        raise BadParameter(
            "invalid checksum digest length" if digest.startswith("sha256:") else "unsupported digest algorithm"
        )
    return Reference(domain, path, tag, digest)


def parse_tag(repository: str, tag: str) -> Reference:
    """Read a name and a tag that came apart; without either it is `latest`. Raises BadParameter."""
    reference = parse(repository)
    if not tag:
        return reference.tagged()
    if not TAG.fullmatch(tag):
        raise BadParameter("invalid tag format")
    return Reference(reference.domain, reference.path, tag)


def _split(name: str) -> tuple[str, str]:
    """Tell the registry from the rest: it has a dot, a colon or a capital letter, or is localhost."""
    first, slash, rest = name.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost" or first != first.lower()):
        first, rest = HUB, name
    if first == OLD_HUB:
        first = HUB
    return first, f"{OFFICIAL}{rest}" if first == HUB and "/" not in rest else rest


def familiar(text: str) -> str:
    """Write a name as a person does, with `latest` if it has no tag; what is no name stays as it is."""
    try:
        return str(parse(text).tagged())
    except BadParameter:
        return text


def normal(name: str) -> str:
    """Write a reference in its familiar form: `docker.io/library/x` is `x:latest`; never fails."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"
