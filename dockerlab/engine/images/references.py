"""Image names: their grammar, and the short form that people write (`busybox` for `docker.io/library/busybox`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dockerlab.engine.faults import BadParameter

__all__ = [
    "HUB",
    "Reference",
    "check_domain",
    "check_name_or_id",
    "familiar",
    "familiar_unchecked",
    "is_tag",
    "parse",
    "parse_with_tag",
]

HUB, OLD_HUB, OFFICIAL, LATEST = "docker.io", "index.docker.io", "library/", "latest"
HUB_HOSTS = (HUB, OLD_HUB, "registry-1.docker.io")
MAX_LENGTH = 255
SEGMENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
DOMAIN = re.compile(rf"(?:{HOST_LABEL}(?:\.{HOST_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
PATH = re.compile(rf"{SEGMENT}(?:/{SEGMENT})*")
TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
IMAGE_ID = re.compile(r"[a-f0-9]{64}")
INVALID = "invalid reference format"


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image with its registry, and with a tag, a digest, both or neither."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The full name, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def repository(self) -> str:
        """The short name, without tag and digest."""
        return self.path.removeprefix(OFFICIAL) if self.domain == HUB else self.name

    def __str__(self) -> str:
        """Return the short form with tag and digest, as `docker images` shows it."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    def with_default_tag(self) -> Reference:
        """Return the same reference with the tag `latest`, if it has neither tag nor digest."""
        return self if self.tag or self.digest else Reference(self.domain, self.path, LATEST)


def parse(text: str) -> Reference:
    """Parse a reference. Raises BadParameter with Docker's message."""
    if IMAGE_ID.fullmatch(text):
        raise BadParameter(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise BadParameter(INVALID)
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not TAG.fullmatch(tag):
        raise BadParameter(INVALID)
    domain, path = _split_domain(f"{head}{slash}{last}")
    if path != path.lower():
        raise BadParameter(f"{INVALID}: repository name ({path}) must be lowercase")
    if not DOMAIN.fullmatch(domain) or not PATH.fullmatch(path):
        raise BadParameter(INVALID)
    if len(f"{domain}/{path}") > MAX_LENGTH:
        raise BadParameter(f"repository name must not be more than {MAX_LENGTH} characters")
    if at and not SHA256.fullmatch(digest):
        raise BadParameter(
            "invalid checksum digest length" if digest.startswith("sha256:") else "unsupported digest algorithm"
        )
    return Reference(domain, path, tag, digest)


def check_domain(text: str) -> str:
    """Return the registry that a host name means. Raises BadParameter if it is no host name."""
    if not DOMAIN.fullmatch(text):
        raise BadParameter(f"invalid registry host: {text!r}")
    return HUB if text in HUB_HOSTS else text


def is_tag(text: str) -> bool:
    return TAG.fullmatch(text) is not None


def check_name_or_id(text: str) -> None:
    """Check that a text is an image's name, its id or its digest. Raises BadParameter with Docker's message."""
    if not IMAGE_ID.fullmatch(text) and not re.fullmatch(r"sha256:[0-9a-f]+", text):
        parse(text)


def parse_with_tag(repository: str, tag: str) -> Reference:
    """Parse a name and a separate tag; the default tag is `latest`. Raises BadParameter."""
    reference = parse(repository)
    if not tag:
        return reference.with_default_tag()
    if not TAG.fullmatch(tag):
        raise BadParameter("invalid tag format")
    return Reference(reference.domain, reference.path, tag)


def _split_domain(name: str) -> tuple[str, str]:
    """Split the registry from the path: a registry has a dot, a colon or a capital letter, or is localhost."""
    first, slash, rest = name.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost" or first != first.lower()):
        first, rest = HUB, name
    if first == OLD_HUB:
        first = HUB
    return first, f"{OFFICIAL}{rest}" if first == HUB and "/" not in rest else rest


def familiar(text: str) -> str:
    """Return the short form of a name with its tag; return a text that is not a valid name unchanged."""
    try:
        return str(parse(text).with_default_tag())
    except BadParameter:
        return text


def familiar_unchecked(name: str) -> str:
    """Return the short form of a name with its tag, without checking that the name is valid."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"
