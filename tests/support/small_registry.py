"""A registry of a few lines, on this machine: manifests and blobs in memory; with a token, if that is wanted."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from together import served

MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")
BLOB = re.compile(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})")
UPLOAD = re.compile(r"/v2/(.+)/blobs/uploads/(\w*)")
USER, PASSWORD, TOKEN = "learner", "practice", "a-token"


class SmallRegistry(ThreadingHTTPServer):
    """The server, with what it holds."""

    def __init__(self, auth: str) -> None:
        """Listen on a free port; `auth` is none, basic or token."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.auth = auth
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.name = f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: SmallRegistry

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _allowed(self) -> bool:
        shown = self.headers.get("Authorization", "")
        if self.server.auth == "basic":
            wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            challenge = 'Basic realm="practice"'
        else:
            wanted = f"Bearer {TOKEN}"
            challenge = f'Bearer realm="http://{self.server.name}/token",service="practice"'
        if self.server.auth == "none" or shown == wanted:
            return True
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}).encode()
        self._send(401, body, WWW_Authenticate=challenge)
        return False

    def do_GET(self) -> None:
        """Give the base, a token, a list of tags, a manifest or a blob."""
        path = urlsplit(self.path).path
        if path == "/token":
            good = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            known = self.headers.get("Authorization") == good
            wrong = {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect password"}]}
            self._send(200 if known else 401, json.dumps({"token": TOKEN} if known else wrong).encode())
        elif self._allowed():
            kind, data = self._found(path)
            self._send(404 if data is None else 200, data or b"{}", Content_Type=kind)

    def _found(self, path: str) -> tuple[str, bytes | None]:
        kind, data = "application/json", None
        if path == "/v2/":
            data = b"{}"
        elif found := MANIFEST.fullmatch(path):
            kind, data = self.server.manifests.get((found[1], found[2]), (kind, None))
        elif found := BLOB.fullmatch(path):
            data = self.server.blobs.get(found[2])
        elif path.endswith("/tags/list"):
            name = path.removeprefix("/v2/").removesuffix("/tags/list")
            tags = sorted(tag for known, tag in self.server.manifests if known == name and ":" not in tag)
            data = json.dumps({"name": name, "tags": tags}).encode()
        return kind, data

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Begin an upload."""
        if self._allowed():
            self._send(202, Location=f"{urlsplit(self.path).path.rstrip('/')}/one")

    def do_PUT(self) -> None:
        """Take a blob or a manifest."""
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._allowed():
            return
        parts, status = urlsplit(self.path), 201
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if found := MANIFEST.fullmatch(parts.path):
            kind = self.headers["Content-Type"]
            self.server.manifests[found[1], found[2]] = self.server.manifests[found[1], digest] = (kind, data)
        elif UPLOAD.fullmatch(parts.path) and parse_qs(parts.query)["digest"] == [digest]:
            self.server.blobs[digest] = data
        else:
            status = 400
        self._send(status, Docker_Content_Digest=digest)


@contextmanager
def small_registry(auth: str = "none") -> Iterator[SmallRegistry]:
    """Serve while the block runs."""
    server = SmallRegistry(auth)
    with served(server):
        yield server
