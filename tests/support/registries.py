"""Registries for contract tests, as the engine under test reaches them.

`DOCKERLAB_TEST_REGISTRY=host:port` names one that is there, `DOCKERLAB_TEST_REGISTRY_AUTH=user:password` who may use
it, if it asks as HTTP's basic authentication does. Without them a real one is started beside the engine, in the
engine's network, where it is 127.0.0.1, which Docker needs no certificate for: Debian's package docker-registry has the
program. It asks who is there, and knows one user.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from differences import engine_of
from near_engine import home_of, listen_near, network_of
from plain_http import ask
from practice import program
from together import served

__all__ = ["PASSWORD", "USER", "Index", "Registry", "index", "registry"]

USER, PASSWORD = "learner", "only-for-tests"
#: The password as bcrypt writes it, which is the only way that this registry reads.
HASHED = "$2b$04$lLvL7N.ODruA7SKhEZoS1.mLdF6zyZHNWc0pgIoHqxk0tlSuutU2C"
SETTINGS = """\
version: 0.1
log: {{level: info}}
storage: {{filesystem: {{rootdirectory: "{base}/data"}}}}
http: {{addr: "127.0.0.1:0"}}
auth: {{htpasswd: {{realm: tests, path: "{base}/users"}}}}
"""
LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
SECONDS = 20


@dataclass(frozen=True, slots=True)
class Registry:
    """Its name, as images' names begin with it, and who may use it; nobody is asked for if `user` is empty."""

    name: str
    user: str = ""
    password: str = ""

    def auth(self, password: str = "") -> dict[str, str]:
        """Give the credentials, as `registry_auth` takes them; with another password if one is given."""
        if not self.user:
            return {}
        return {"username": self.user, "password": password or self.password, "serveraddress": self.name}


@contextmanager
def registry(host: str) -> Iterator[Registry]:
    """Give a registry that the engine reaches. Skips if there is none, and says what is missing."""
    given = os.environ.get("DOCKERLAB_TEST_REGISTRY")
    if given:
        user, _, password = os.environ.get("DOCKERLAB_TEST_REGISTRY_AUTH", "").partition(":")
        yield Registry(given, user, password)
        return
    network = _network(host)
    command = [program("docker-registry"), "serve"]
    if network:
        command = [program("nsenter"), f"--net={network}", "--", *command]
    base = Path(tempfile.mkdtemp(prefix="dlab-registry-"))
    try:
        (base / "users").write_text(f"{USER}:{HASHED}\n", "utf-8")
        (base / "settings.yml").write_text(SETTINGS.format(base=base), "utf-8")
        with (base / "log").open("wb") as log:
            ran = subprocess.Popen([*command, str(base / "settings.yml")], stdout=log, stderr=log)
        try:
            yield Registry(_address(base / "log", ran), USER, PASSWORD)
        finally:
            ran.kill()  # it keeps nothing that would have to be put in order
            ran.wait(SECONDS)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _network(host: str) -> str:
    """Give the engine's network namespace if it has one of its own. Skips where nothing can be put beside the engine.

    So it does for Podman, to which 127.0.0.1 is as any other address: it wants a certificate that it knows.
    """
    try:
        pid = home_of(host)
        if pid and not engine_of(ask(host, "GET", "/version")[1]).startswith("podman"):
            return network_of(pid)
    except OSError:
        pass
    pytest.skip("needs a registry that this engine reaches: DOCKERLAB_TEST_REGISTRY=host:port")


def _address(log: Path, ran: subprocess.Popen[bytes]) -> str:
    """Wait until a registry says where it listens."""
    end = time.monotonic() + SECONDS
    while not (found := LISTENING.search(log.read_text("utf-8", "replace"))):
        if ran.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the registry did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.05)
    return found[1]


# -- the index that a search asks ----------------------------------------------------------------------------


class Index(ThreadingHTTPServer):
    """An index of registries' first protocol, which Docker searches; it keeps what it is asked and shown."""

    def __init__(self, listening: socket.socket, known: list[dict[str, object]]) -> None:
        """Serve on a socket that listens already, wherever that is."""
        super().__init__(listening.getsockname(), Searches, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.name = f"127.0.0.1:{listening.getsockname()[1]}"
        self.known = known
        self.asked: list[dict[str, list[str]]] = []
        self.shown: list[str] = []

    def found(self, query: dict[str, list[str]]) -> bytes:
        """Answer with what is known and has the word that is asked for in its name."""
        word, most = query["q"][0], int(query["n"][0])
        results = [one for one in self.known if word in str(one["name"])][:most]
        return json.dumps({"query": word, "num_results": len(results), "results": results}).encode()


class Searches(BaseHTTPRequestHandler):
    """Answers a ping and a search."""

    protocol_version = "HTTP/1.1"
    server: Index

    def do_GET(self) -> None:
        """Answer as an index does; what it is asked and shown is kept."""
        parts = urlsplit(self.path)
        status, answer = 404, b"{}"
        if parts.path == "/v1/_ping":
            status, answer = 200, b"true"
        elif parts.path == "/v1/search":
            self.server.asked.append(parse_qs(parts.query))
            self.server.shown.append(self.headers.get("Authorization", ""))
            status, answer = 200, self.server.found(parse_qs(parts.query))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Docker-Registry-Version", "0.9.1")
        self.send_header("X-Docker-Registry-Standalone", "true")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@contextmanager
def index(host: str, certificate: Path, known: list[dict[str, object]]) -> Iterator[Index]:
    """Serve an index in the engine's network.

    It speaks TLS, without which Docker shows it no credentials; `certificate` is a directory with cert.pem and key.pem.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server = Index(tls.wrap_socket(listen_near(_network(host)), server_side=True), known)
    with served(server):
        yield server
