"""The client for image registries: manifests and blobs, anonymously, with a user name and password, or with a token."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from dockerlab.engine.common.go_json import InvalidJson, loads
from dockerlab.engine.common.go_types import read
from dockerlab.engine.common.network_errors import failure_message
from dockerlab.engine.common.web_client import WebClient
from dockerlab.engine.faults import BadParameter, Fault, NotFound, Unauthorized
from dockerlab.engine.images import documents, references
from dockerlab.engine.images.references import HUB

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from dockerlab.engine.images.references import Reference

__all__ = ["Credentials", "Manifest", "Registry", "access_denied", "parse_auth_header"]

HUB_HOST = "registry-1.docker.io"
BLOCK_BYTES = 1 << 18
MAX_MANIFEST_BYTES = 8 << 20
MAX_ERROR_BYTES = 1 << 16
MAX_REDIRECTS = 5
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
ACCEPTED = ", ".join((DOCKER, DOCKER_LIST, OCI, OCI_INDEX))
REDIRECTION, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 300, 401, 403, 404  #: HTTP statuses
REDIRECTS = (301, 302, 303, 307, 308)
#: A token in a header; anything else could add headers of its own.
TOKEN = re.compile(r"[\x21-\x7e]+")
#: It begins at the first letter of a word, so that a long word is not read again from each of its letters.
CHALLENGE_PARAMETER = re.compile(r'\b(\w++)="([^"]*)"')
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and password, or a token. They are never stored or logged."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def basic_auth(self) -> str:
        """Return the value of an Authorization header with user name and password."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


def parse_auth_header(header: str) -> Credentials:
    """Return the credentials in an `X-Registry-Auth` header, which is JSON in base64. Raises BadParameter."""
    if not header:
        return Credentials()
    try:
        text = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
        document = read("registry.AuthConfig", text or b"{}") or {}
    except ValueError:
        raise BadParameter("bad parameters and missing X-Registry-Auth: invalid X-Registry-Auth header") from None
    token = document.get("registrytoken", "")
    if token and not TOKEN.fullmatch(token):
        raise BadParameter("bad parameters and missing X-Registry-Auth: invalid X-Registry-Auth header")
    return Credentials(document.get("username", ""), document.get("password", ""), token)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, or a list of manifests, as the registry stores it."""

    media_type: str
    digest: str
    content: bytes

    @property
    def document(self) -> Record:
        """The content as a manifest of one image, with a configuration and layers. Raises BadParameter."""
        document: Record = documents.read_document("v1.Manifest", self.content)
        return {"config": {}, "layers": [], **document}

    @property
    def index(self) -> Record:
        """The content as a list of manifests. Raises BadParameter."""
        index: Record = documents.read_document("v1.Index", self.content)
        return index


class Registry:
    """The registry of one image reference. All methods block, so call them in a thread."""

    def __init__(self, reference: Reference, credentials: Credentials, actions: str = "pull") -> None:
        """Prepare the connection; nothing is sent yet."""
        self.reference = reference
        self.credentials = credentials
        self.scope = f"repository:{reference.path}:{actions}"
        host = HUB_HOST if reference.domain == HUB else reference.domain
        self.base = f"{'http' if _is_loopback(host) else 'https'}://{host}/v2/"
        self._authorization = f"Bearer {credentials.token}" if credentials.token else ""
        self._client = WebClient()

    # -- requests ----------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> BaseHTTPResponse:
        """Send a request below /v2/, with credentials if the registry demands them. Raises Fault."""
        url = self._checked_url(self.base, path)
        response = self._send_authorized(method, url, headers, **more)
        if response.status == UNAUTHORIZED:
            self._client.drain(response)
            if self._authorize(response.headers.get("WWW-Authenticate", "")):
                response = self._send_authorized(method, url, headers, **more)
        if response.status == UNAUTHORIZED:
            challenge = response.headers.get("WWW-Authenticate", "")
            if challenge.lower().startswith("basic"):
                self._client.drain(response)
                raise self._refusal(method, url)
        return self._follow_redirects(response, method, url)

    def _checked_url(self, base: str, location: str) -> str:
        """Return the URL of a location that the registry named.

        Raises Fault unless it is HTTP, and HTTPS if the registry is.
        """
        allowed = ("https",) if self.base.startswith("https:") else ("https", "http")
        url = ""
        try:
            url = urljoin(base, location)
            parts = urlsplit(url)
            is_valid = parts.scheme in allowed and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_valid = False
        if not is_valid:
            raise Fault(f'Get "{self.base}": the registry names a URL that is not {" or ".join(allowed)}')
        return url

    def _send_authorized(self, method: str, url: str, headers: dict[str, str] | None, **more: Any) -> BaseHTTPResponse:
        is_ours = url.startswith(self.base)
        authorization = {"Authorization": self._authorization} if self._authorization and is_ours else {}
        return self._send(method, url, headers={**(headers or {}), **authorization}, redirect=False, **more)

    def _send(self, method: str, url: str, **more: Any) -> BaseHTTPResponse:
        try:
            return self._client.request(method, url, **more)
        except self._client.errors as error:
            raise Fault(f'{method.capitalize()} "{self.base}": {failure_message(error, url)}') from None

    def _refusal(self, method: str, url: str) -> Fault:
        """Return Docker's message for missing or wrong credentials."""
        if self.credentials.username:
            return Unauthorized("unauthorized: authentication required")
        if "/blobs/" in url:
            return Fault("no basic auth credentials")
        # Docker first sends HEAD for a manifest, and its message names that method.
        docker_method = "Head" if "/manifests/" in url else method.capitalize()
        return Fault(f'{docker_method} "{url}": no basic auth credentials')

    def _follow_redirects(self, response: BaseHTTPResponse, method: str, url: str) -> BaseHTTPResponse:
        """Follow a blob to the host that stores it, which must not get the registry's credentials."""
        for _ in range(MAX_REDIRECTS):
            location = response.headers.get("Location")
            if method not in ("GET", "HEAD") or response.status not in REDIRECTS or not location:
                break
            self._client.drain(response)
            url = self._checked_url(url, location)
            response = self._send(method, url, redirect=False)
        return response

    def _authorize(self, challenge: str) -> bool:
        """Prepare what a WWW-Authenticate header demands; return whether that was possible. Raises Fault."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self.credentials.username:
            self._authorization = self.credentials.basic_auth()
            return True
        parameters = dict(CHALLENGE_PARAMETER.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in parameters:
            return False
        query = {"scope": parameters.get("scope") or self.scope}
        query |= {"service": parameters["service"]} if "service" in parameters else {}
        headers = {"Authorization": self.credentials.basic_auth()} if self.credentials.username else {}
        realm = self._checked_url(self.base, parameters["realm"])
        response = self._send("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}", headers=headers)
        if response.status >= REDIRECTION:
            raise Unauthorized(f'Get "{self.base}": unauthorized: {self._error_message(response)}')
        document = self._read_json(response)
        token = document.get("token") or document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise Fault("authorization server did not include a token in the response")
        self._authorization = f"Bearer {token}"
        return True

    def _read(self, response: BaseHTTPResponse, most: int) -> bytes:
        """Return the beginning of a response's body. Raises Fault."""
        try:
            return self._client.read(response, most)
        except self._client.errors as error:
            raise Fault(f'Get "{self.base}": {failure_message(error, self.base)}') from None

    def _read_json(self, response: BaseHTTPResponse) -> Any:
        try:
            return loads(self._read(response, MAX_MANIFEST_BYTES))
        except InvalidJson as error:
            raise Fault(f'Get "{self.base}": {error}') from None

    def _error_message(self, response: BaseHTTPResponse) -> str:
        try:
            error = loads(self._read(response, MAX_ERROR_BYTES))["errors"][0]
            return f"{str(error.get('code', '')).lower().replace('_', ' ')}: {error.get('message', '')}"
        except (ValueError, LookupError, TypeError, AttributeError, Fault):
            return f"unexpected status {response.status}"

    def check_credentials(self) -> None:
        """Log in. Raises Unauthorized, Fault."""
        try:
            response = self.request("GET", "")
        except Unauthorized:
            if self._authorization.startswith("Basic"):
                raise Fault(f"login attempt to {self.base} failed with status: 401 Unauthorized") from None
            raise
        self._client.drain(response)
        if response.status in (UNAUTHORIZED, FORBIDDEN):
            raise Unauthorized(f'Get "{self.base}": unauthorized: authentication required')
        if response.status >= REDIRECTION:
            raise Fault(f'Get "{self.base}": unexpected status {response.status}')

    # -- reading -----------------------------------------------------------------------------------------------

    def manifest(self, name: str) -> Manifest:
        """Return the manifest with a tag or digest. Raises NotFound, Fault."""
        path = f"{self.reference.path}/manifests/{quote(name, safe=':')}"
        response = self.request("GET", path, {"Accept": ACCEPTED})
        if response.status in (UNAUTHORIZED, FORBIDDEN):
            raise NotFound(access_denied(self.reference))
        if response.status == NOT_FOUND:
            raise NotFound(f"manifest for {self.reference} not found: manifest unknown: manifest unknown")
        if response.status >= REDIRECTION:
            raise Fault(self._error_message(response))
        content = self._read(response, MAX_MANIFEST_BYTES + 1)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if len(content) > MAX_MANIFEST_BYTES:
            raise Fault("manifest is too large")
        if name.startswith("sha256:") and name != digest:
            raise Fault(f"manifest verification failed for digest {name}")
        return Manifest(response.headers.get("Content-Type", "").partition(";")[0], digest, content)

    def tags(self) -> list[str]:
        """Return all tags of the repository. Raises Fault."""
        response = self.request("GET", f"{self.reference.path}/tags/list")
        if response.status >= REDIRECTION:
            raise Fault(self._error_message(response))
        document = self._read_json(response)
        tags = document.get("tags") or [] if isinstance(document, dict) else []
        return [tag for tag in tags if isinstance(tag, str) and references.is_tag(tag)]

    def blob(self, digest: str) -> Iterator[bytes]:
        """Yield the content of a blob in blocks, and check its digest at the end. Raises Fault."""
        documents.check_digest(digest)
        response = self.request("GET", f"{self.reference.path}/blobs/{digest}")
        if response.status >= REDIRECTION:
            raise Fault(self._error_message(response))
        checksum = hashlib.sha256()
        try:
            for block in self._client.raw_blocks(response, BLOCK_BYTES):
                checksum.update(block)
                yield block
        except self._client.errors as error:
            raise Fault(f'Get "{self.base}": {failure_message(error, self.base)}') from None
        if f"sha256:{checksum.hexdigest()}" != digest:
            raise Fault(f"filesystem layer verification failed for digest {digest}")

    def small_blob(self, digest: str) -> bytes:
        """Return the content of a blob that is a document. Raises Fault."""
        content = bytearray()
        for block in self.blob(digest):
            content += block
            if len(content) > documents.MAX_CONFIG_BYTES:
                raise Fault(f"the configuration {digest} is too large")
        return bytes(content)

    # -- writing -----------------------------------------------------------------------------------------------

    def has_blob(self, digest: str) -> bool:
        """Return whether the registry already stores a blob."""
        response = self.request("HEAD", f"{self.reference.path}/blobs/{digest}")
        self._client.drain(response)
        return response.status < REDIRECTION

    def put_blob(self, digest: str, content: Any, length: int) -> None:
        """Upload a blob from bytes or a file. Raises Fault."""
        start = self.request("POST", f"{self.reference.path}/blobs/uploads/")
        self._client.drain(start)
        if start.status in (UNAUTHORIZED, FORBIDDEN):
            raise Fault("denied: requested access to the resource is denied")
        if start.status >= REDIRECTION or "Location" not in start.headers:
            raise Fault(f"the registry does not accept the upload: unexpected status {start.status}")
        location = self._checked_url(self.base, start.headers["Location"])
        location += ("&" if "?" in location else "?") + urlencode({"digest": digest})
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        response = self.request("PUT", location, headers, body=content)
        if response.status >= REDIRECTION:
            raise Fault(self._error_message(response))
        self._client.drain(response)

    def put_manifest(self, tag: str, content: bytes) -> None:
        """Upload a manifest under a tag. Raises Fault."""
        path = f"{self.reference.path}/manifests/{tag}"
        response = self.request("PUT", path, {"Content-Type": DOCKER}, body=content)
        if response.status in (UNAUTHORIZED, FORBIDDEN):
            raise Fault("denied: requested access to the resource is denied")
        if response.status >= REDIRECTION:
            raise Fault(self._error_message(response))
        self._client.drain(response)


def access_denied(reference: Reference) -> str:
    """Return Docker's message for an image that can't be pulled."""
    return (
        f"pull access denied for {reference.repository}, repository does not exist or may require 'docker login': "
        "denied: requested access to the resource is denied"
    )


def _is_loopback(host: str) -> bool:
    """Return whether a registry runs on this machine, where plain HTTP is allowed."""
    name = host.rpartition(":")[0] if re.fullmatch(r".*:\d+", host) else host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"
