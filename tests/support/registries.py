"""Registries: a real one beside the engine under test, a search index, and a small one in memory.

`DOCKERLAB_TEST_REGISTRY=host:port` names an existing registry, `DOCKERLAB_TEST_REGISTRY_AUTH=user:password` a user of
it, for HTTP's basic authentication. Without them a registry is started in the engine's network namespace. There it is
127.0.0.1, for which Docker needs no certificate. The program is Debian's package docker-registry. It has one user.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from differences import engine_name
from engines import listen_in_namespace, network_namespace
from plain_http import ask, engine_pid
from processes import program, serving_in_thread

__all__ = [
    "PASSWORD",
    "USER",
    "Registry",
    "SameResponse",
    "SearchIndex",
    "SmallRegistry",
    "registry",
    "search_index",
    "small_registry",
]

USER, PASSWORD = "learner", "only-for-tests"
#: The password as bcrypt writes it, because docker-registry reads no other hash.
PASSWORD_HASH = "$2b$04$lLvL7N.ODruA7SKhEZoS1.mLdF6zyZHNWc0pgIoHqxk0tlSuutU2C"
SETTINGS = """\
version: 0.1
log: {{level: info}}
storage: {{filesystem: {{rootdirectory: "{base}/data"}}}}
http: {{addr: "127.0.0.1:0"}}
auth: {{htpasswd: {{realm: tests, path: "{base}/users"}}}}
"""
LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
SECONDS = 20


# -- a real registry -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry's name, with which its images' names begin, and its user. If `user` is empty, it needs no login."""

    name: str
    user: str = ""
    password: str = ""

    def auth(self, password: str = "") -> dict[str, str]:
        """Return the credentials as `registry_auth` takes them, with another password if there is one."""
        if not self.user:
            return {}
        return {"username": self.user, "password": password or self.password, "serveraddress": self.name}


@contextmanager
def registry(host: str) -> Iterator[Registry]:
    """Give a registry that the engine can reach. Skip the test, and say what is missing, if there is none."""
    name = os.environ.get("DOCKERLAB_TEST_REGISTRY")
    if name:
        user, _, password = os.environ.get("DOCKERLAB_TEST_REGISTRY_AUTH", "").partition(":")
        yield Registry(name, user, password)
        return
    network = _engine_network(host)
    command = [program("docker-registry"), "serve"]
    if network:
        command = [program("nsenter"), f"--net={network}", "--", *command]
    base = Path(tempfile.mkdtemp(prefix="dlab-registry-"))
    try:
        (base / "users").write_text(f"{USER}:{PASSWORD_HASH}\n", "utf-8")
        (base / "settings.yml").write_text(SETTINGS.format(base=base), "utf-8")
        with (base / "log").open("wb") as log:
            process = subprocess.Popen([*command, str(base / "settings.yml")], stdout=log, stderr=log)
        try:
            yield Registry(_wait_for_address(base / "log", process), USER, PASSWORD)
        finally:
            process.kill()  # its data is removed anyway, so it needs no clean end
            process.wait(SECONDS)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _engine_network(host: str) -> str:
    """Return the path of the engine's network namespace, or "" if it is ours.

    Skip the test where nothing can be started beside the engine, and for Podman, which requires a certificate that it
    trusts even of 127.0.0.1.
    """
    try:
        pid = engine_pid(host)
        if pid and not engine_name(ask(host, "GET", "/version")[1]).startswith("podman"):
            return network_namespace(pid)
    except OSError:
        pass
    pytest.skip("needs a registry that this engine reaches: DOCKERLAB_TEST_REGISTRY=host:port")


def _wait_for_address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait until the registry's log has its address."""
    end = time.monotonic() + SECONDS
    while not (match := LISTENING.search(log.read_text("utf-8", "replace"))):
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the registry did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.05)
    return match[1]


# -- a search index ------------------------------------------------------------------------------------------


class SearchIndex(ThreadingHTTPServer):
    """An index of registry protocol v1, which Docker searches. It keeps the queries and credentials it receives."""

    def __init__(self, listener: socket.socket, images: list[dict[str, object]]) -> None:
        """Serve on a socket that already listens, in whatever network namespace."""
        super().__init__(listener.getsockname(), SearchHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.name = f"127.0.0.1:{listener.getsockname()[1]}"
        self.images = images
        self.queries: list[dict[str, list[str]]] = []
        self.credentials: list[str] = []

    def search(self, query: dict[str, list[str]]) -> bytes:
        """Return the response with the images whose names have the word in them."""
        word, limit = query["q"][0], int(query["n"][0])
        results = [image for image in self.images if word in str(image["name"])][:limit]
        return json.dumps({"query": word, "num_results": len(results), "results": results}).encode()


class SearchHandler(BaseHTTPRequestHandler):
    """Answers a ping and a search."""

    protocol_version = "HTTP/1.1"
    server: SearchIndex

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        status, body = 404, b"{}"
        if parts.path == "/v1/_ping":
            status, body = 200, b"true"
        elif parts.path == "/v1/search":
            self.server.queries.append(parse_qs(parts.query))
            self.server.credentials.append(self.headers.get("Authorization", ""))
            status, body = 200, self.server.search(parse_qs(parts.query))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Docker-Registry-Version", "0.9.1")
        self.send_header("X-Docker-Registry-Standalone", "true")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def search_index(host: str, certificate: Path, images: list[dict[str, object]]) -> Iterator[SearchIndex]:
    """Serve an index in the engine's network namespace.

    It speaks TLS, because Docker sends no credentials without. `certificate` is a directory with cert.pem and key.pem.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    listener = listen_in_namespace(_engine_network(host))
    with serving_in_thread(SearchIndex(tls.wrap_socket(listener, server_side=True), images)) as server:
        yield server


# -- a small registry of this machine, with manifests and blobs in memory ------------------------------------

MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")
BLOB = re.compile(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})")
UPLOAD = re.compile(r"/v2/(.+)/blobs/uploads/(\w*)")
TOKEN = "a-token"


class SmallRegistry(ThreadingHTTPServer):
    """The server, with what it stores."""

    def __init__(self, auth: str) -> None:
        """Listen on a free port. `auth` is none, basic or token."""
        super().__init__(("127.0.0.1", 0), SmallRegistryHandler)
        self.auth = auth
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.name = f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, unless the engine has gone away, which some tests kill."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class SmallRegistryHandler(BaseHTTPRequestHandler):
    """The part of registry protocol v2 that pull and push need."""

    protocol_version = "HTTP/1.1"
    server: SmallRegistry

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _authorized(self) -> bool:
        """Check the credentials, and send 401 if they are wrong."""
        credentials = self.headers.get("Authorization", "")
        if self.server.auth == "basic":
            expected, challenge = BASIC, 'Basic realm="practice"'
        else:
            expected = f"Bearer {TOKEN}"
            challenge = f'Bearer realm="http://{self.server.name}/token",service="practice"'
        if self.server.auth == "none" or credentials == expected:
            return True
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}).encode()
        self._send(401, body, WWW_Authenticate=challenge)
        return False

    def do_GET(self) -> None:
        """Send the base, a token, a list of tags, a manifest or a blob."""
        path = urlsplit(self.path).path
        if path == "/token":
            is_user = self.headers.get("Authorization") == BASIC
            error = {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect password"}]}
            self._send(200 if is_user else 401, json.dumps({"token": TOKEN} if is_user else error).encode())
        elif self._authorized():
            content_type, data = self._content(path)
            self._send(404 if data is None else 200, data or b"{}", Content_Type=content_type)

    def _content(self, path: str) -> tuple[str, bytes | None]:
        content_type, data = "application/json", None
        if path == "/v2/":
            data = b"{}"
        elif match := MANIFEST.fullmatch(path):
            content_type, data = self.server.manifests.get((match[1], match[2]), (content_type, None))
        elif match := BLOB.fullmatch(path):
            data = self.server.blobs.get(match[2])
        elif path.endswith("/tags/list"):
            name = path.removeprefix("/v2/").removesuffix("/tags/list")
            tags = sorted(tag for repository, tag in self.server.manifests if repository == name and ":" not in tag)
            data = json.dumps({"name": name, "tags": tags}).encode()
        return content_type, data

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Begin an upload."""
        if self._authorized():
            self._send(202, Location=f"{urlsplit(self.path).path.rstrip('/')}/one")

    def do_PUT(self) -> None:
        """Store a blob or a manifest."""
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._authorized():
            return
        parts, status = urlsplit(self.path), 201
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if match := MANIFEST.fullmatch(parts.path):
            content = self.headers["Content-Type"], data
            self.server.manifests[match[1], match[2]] = self.server.manifests[match[1], digest] = content
        elif UPLOAD.fullmatch(parts.path) and parse_qs(parts.query)["digest"] == [digest]:
            self.server.blobs[digest] = data
        else:
            status = 400
        self._send(status, Docker_Content_Digest=digest)


BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@contextmanager
def small_registry(auth: str = "none") -> Iterator[SmallRegistry]:
    """Run a `SmallRegistry` while the block runs."""
    with serving_in_thread(SmallRegistry(auth)) as server:
        yield server


# -- a registry with the same response to every request ------------------------------------------------------


class SameResponse(ThreadingHTTPServer):
    """A server that sends one status, its headers and one content, whatever the request is."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SameResponseHandler)
        self.name = f"127.0.0.1:{self.server_address[1]}"
        self.status, self.content = 200, b""
        self.headers: dict[str, str] = {}
        self.credentials: list[str] = []  #: the Authorization header of each request, which is often empty


class SameResponseHandler(BaseHTTPRequestHandler):
    """Reads the request to its end, and sends the server's response."""

    server: SameResponse

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.credentials.append(self.headers.get("Authorization", ""))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.server.content)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET
