"""Speaks with a registry: manifests and blobs, with nobody's name, a name and password, or a token."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin

from dockerlab.engine.common.network_errors import words
from dockerlab.engine.faults import BadParameter, Fault, NotFound, Unauthorized

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from dockerlab.engine.images.references import Reference

__all__ = ["Credentials", "Manifest", "Registry", "credentials"]

HUB, HUB_HOST = "docker.io", "registry-1.docker.io"
CONNECT_SECONDS, READ_SECONDS = 15, 60
BLOCK = 1 << 18
MOST_MANIFEST = 8 << 20
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
ACCEPTED = ", ".join((DOCKER, DOCKER_LIST, OCI, OCI_INDEX))
GOOD, UNKNOWN, NOT_ALLOWED = 300, 404, (401, 403)
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks. Never written anywhere."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def basic(self) -> str:
        """Write name and password as a header has them."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


def credentials(header: str) -> Credentials:
    """Read `X-Registry-Auth`: JSON in base64. Raises BadParameter."""
    if not header:
        return Credentials()
    try:
        told = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)) or b"{}")
        assert isinstance(told, dict)  # noqa: S101  (what is none is a ValueError's like)
    except (ValueError, AssertionError):
        raise BadParameter("bad parameters and missing X-Registry-Auth: invalid X-Registry-Auth header") from None
    return Credentials(told.get("username") or "", told.get("password") or "", told.get("registrytoken") or "")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, or a list of them, as the registry has it."""

    kind: str
    digest: str
    data: bytes

    @property
    def document(self) -> Record:
        """What it says."""
        found: Record = json.loads(self.data)
        return found


class Registry:
    """The registry of one reference. Blocks, so it is for threads."""

    def __init__(self, reference: Reference, who: Credentials, actions: str = "pull") -> None:
        """Prepare it; nothing is sent yet."""
        import urllib3  # noqa: PLC0415  (few engines ever speak with a registry)

        self.reference = reference
        self.who = who
        self.scope = f"repository:{reference.path}:{actions}"
        host = HUB_HOST if reference.domain == HUB else reference.domain
        self.base = f"{'http' if _loopback(host) else 'https'}://{host}/v2/"
        self._header = f"Bearer {who.token}" if who.token else ""
        self._pool = urllib3.PoolManager(
            num_pools=4, timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS), retries=False
        )

    # -- asking ------------------------------------------------------------------------------------------------

    def _send(self, method: str, url: str, **more: Any) -> BaseHTTPResponse:
        import urllib3  # noqa: PLC0415

        try:
            return self._pool.request(method, url, preload_content=False, **more)
        except urllib3.exceptions.HTTPError as error:
            raise Fault(f'{method.capitalize()} "{self.base}": {words(error, url)}') from None

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> BaseHTTPResponse:
        """Ask for something below /v2/; if a name or a token is wanted, it is shown. Raises Fault."""
        url = urljoin(self.base, path)
        for attempt in (1, 2):
            shown = {"Authorization": self._header} if self._header and url.startswith(self.base) else {}
            answer = self._send(method, url, headers={**(headers or {}), **shown}, redirect=False, **more)
            if answer.status == NOT_ALLOWED[0] and attempt == 1:
                challenge = answer.headers.get("WWW-Authenticate", "")
                answer.drain_conn()
                if self._authorize(challenge):
                    continue
            challenge = answer.headers.get("WWW-Authenticate", "") if answer.status == NOT_ALLOWED[0] else ""
            if challenge.lower().startswith("basic"):
                answer.drain_conn()
                raise self._refused(method, url)
            return self._followed(answer, method)
        raise AssertionError("unreachable")

    def _refused(self, method: str, url: str) -> Fault:
        """Tell of a registry that wants a name and a password, and got none, or others than it knows."""
        if self.who.username:
            return Unauthorized("unauthorized: authentication required")
        if "/blobs/" in url:
            return Fault("no basic auth credentials")
        asked = "Head" if "/manifests/" in url else method.capitalize()  # Docker first asks whether it is there
        return Fault(f'{asked} "{url}": no basic auth credentials')

    def _followed(self, answer: BaseHTTPResponse, method: str) -> BaseHTTPResponse:
        """Follow a blob to the place where it is stored; our credentials stay here."""
        for _ in range(5):
            target = answer.headers.get("Location")
            if method not in ("GET", "HEAD") or answer.status not in (301, 302, 303, 307, 308) or not target:
                break
            answer.drain_conn()
            answer = self._send(method, urljoin(self.base, target), redirect=False)
        return answer

    def _authorize(self, challenge: str) -> bool:
        """Do what the registry asks for; False if we have nothing to show. Raises Fault."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic" and self.who.username:
            self._header = self.who.basic()
            return True
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if kind.lower() != "bearer" or "realm" not in asked:
            return False
        query = {"scope": asked.get("scope") or self.scope}
        query |= {"service": asked["service"]} if "service" in asked else {}
        shown = {"Authorization": self.who.basic()} if self.who.username else {}
        answer = self._send("GET", f"{asked['realm']}?{urlencode(query)}", headers=shown)
        if answer.status >= GOOD:
            raise Unauthorized(f'Get "{self.base}": unauthorized: {self._reason(answer)}')
        told = json.loads(answer.read(MOST_MANIFEST))
        self._header = f"Bearer {told.get('token') or told.get('access_token')}"
        return True

    @staticmethod
    def _reason(answer: BaseHTTPResponse) -> str:
        try:
            first = json.loads(answer.read(1 << 16))["errors"][0]
            return f"{first.get('code', '').lower().replace('_', ' ')}: {first.get('message', '')}"
        except (ValueError, LookupError, TypeError):
            return f"unexpected status {answer.status}"

    def check(self) -> None:
        """Show the credentials. Raises Unauthorized, Fault."""
        try:
            answer = self.ask("GET", "")
        except Unauthorized as refused:
            if self._header.startswith("Basic"):
                raise Fault(f"login attempt to {self.base} failed with status: 401 Unauthorized") from None
            raise refused
        answer.drain_conn()
        if answer.status in NOT_ALLOWED:
            raise Unauthorized(f'Get "{self.base}": unauthorized: authentication required')
        if answer.status >= GOOD:
            raise Fault(f'Get "{self.base}": unexpected status {answer.status}')

    # -- reading -----------------------------------------------------------------------------------------------

    def manifest(self, name: str) -> Manifest:
        """Give a manifest by tag or digest. Raises NotFound, Fault."""
        answer = self.ask("GET", f"{self.reference.path}/manifests/{quote(name, safe=':')}", {"Accept": ACCEPTED})
        if answer.status in NOT_ALLOWED:
            raise NotFound(
                f"pull access denied for {self.reference.repository}, repository does not exist or may require "
                "'docker login': denied: requested access to the resource is denied"
            )
        if answer.status == UNKNOWN:
            raise NotFound(f"manifest for {self.reference} not found: manifest unknown: manifest unknown")
        if answer.status >= GOOD:
            raise Fault(self._reason(answer))
        data = answer.read(MOST_MANIFEST + 1)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if len(data) > MOST_MANIFEST:
            raise Fault("manifest is too large")
        if name.startswith("sha256:") and name != digest:
            raise Fault(f"manifest verification failed for digest {name}")
        return Manifest(answer.headers.get("Content-Type", "").partition(";")[0], digest, data)

    def tags(self) -> list[str]:
        """Give all tags of the repository. Raises Fault."""
        answer = self.ask("GET", f"{self.reference.path}/tags/list")
        if answer.status >= GOOD:
            raise Fault(self._reason(answer))
        return list(json.loads(answer.read(MOST_MANIFEST)).get("tags") or [])

    def blob(self, digest: str) -> Iterator[bytes]:
        """Read a blob, and check that it is what its name says. Raises Fault."""
        answer = self.ask("GET", f"{self.reference.path}/blobs/{digest}")
        if answer.status >= GOOD:
            raise Fault(self._reason(answer))
        whole = hashlib.sha256()
        for block in answer.stream(BLOCK, decode_content=False):
            whole.update(block)
            yield block
        if f"sha256:{whole.hexdigest()}" != digest:
            raise Fault(f"filesystem layer verification failed for digest {digest}")

    # -- writing -----------------------------------------------------------------------------------------------

    def has_blob(self, digest: str) -> bool:
        """Is a blob there already?"""
        answer = self.ask("HEAD", f"{self.reference.path}/blobs/{digest}")
        answer.drain_conn()
        return answer.status < GOOD

    def put_blob(self, digest: str, data: Any, length: int) -> None:
        """Send a blob. Raises Fault."""
        begun = self.ask("POST", f"{self.reference.path}/blobs/uploads/")
        begun.drain_conn()
        if begun.status in NOT_ALLOWED:
            raise Fault("denied: requested access to the resource is denied")
        if begun.status >= GOOD or "Location" not in begun.headers:
            raise Fault(f"the registry takes no upload: unexpected status {begun.status}")
        place = urljoin(self.base, begun.headers["Location"])
        place += ("&" if "?" in place else "?") + urlencode({"digest": digest})
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        answer = self.ask("PUT", place, headers, body=data)
        if answer.status >= GOOD:
            raise Fault(self._reason(answer))
        answer.drain_conn()

    def put_manifest(self, tag: str, data: bytes) -> None:
        """Send a manifest. Raises Fault."""
        answer = self.ask("PUT", f"{self.reference.path}/manifests/{tag}", {"Content-Type": DOCKER}, body=data)
        if answer.status in NOT_ALLOWED:
            raise Fault("denied: requested access to the resource is denied")
        if answer.status >= GOOD:
            raise Fault(self._reason(answer))
        answer.drain_conn()


def _loopback(host: str) -> bool:
    """Is it this machine? Such a registry may speak plain HTTP."""
    name = host.rpartition(":")[0] if re.fullmatch(r".*:\d+", host) else host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"
