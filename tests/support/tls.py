"""TLS for tests: an authority whose certificates openssl makes, and a TLS server in front of an engine's socket."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = ["Authority", "tls_front"]

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

SETTINGS = """
[ca]
default_ca = this
[this]
new_certs_dir = {base}
database = {base}/index
serial = {base}/serial
certificate = {base}/ca.pem
private_key = {base}/ca-key.pem
default_md = sha256
unique_subject = no
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


class Authority:
    """Signs certificates. Each has a directory of its own, as DOCKER_CERT_PATH names one."""

    def __init__(self, base: Path, openssl: str) -> None:
        self.base, self._openssl = base, openssl
        base.mkdir(parents=True)
        (base / "index").touch()
        (base / "serial").write_text("1000\n")
        (base / "settings").write_text(SETTINGS.format(base=base))
        self._run(
            "req", "-x509", *KEY, "-keyout", base / "ca-key.pem", "-out", base / "ca.pem", "-days", "30",
            "-subj", f"/CN={base.name} authority",
        )  # fmt: skip

    def issue(self, name: str, subject: str = "DNS:localhost,IP:127.0.0.1", *, days: int = 30) -> Path:
        """Return a new directory with ca.pem, cert.pem and key.pem. With negative days, the certificate has expired."""
        directory = self.base / name
        directory.mkdir()
        self._run(
            "req", "-new", *KEY, "-keyout", directory / "key.pem", "-out", directory / "request",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName={subject}",
        )  # fmt: skip
        now = datetime.now(UTC)
        begin, end = (moment.strftime("%Y%m%d%H%M%SZ") for moment in (now - timedelta(60), now + timedelta(days)))
        self._run(
            "ca", "-batch", "-notext", "-config", self.base / "settings", "-in", directory / "request",
            "-out", directory / "cert.pem", "-startdate", begin, "-enddate", end,
        )  # fmt: skip
        shutil.copy(self.base / "ca.pem", directory)
        return directory

    def _run(self, *arguments: str | Path) -> None:
        process = subprocess.run([self._openssl, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert process.returncode == 0, process.stderr


@contextmanager
def tls_front(unix: str, files: Path, *, clients: bool = True) -> Iterator[int]:
    """Give the port of a TLS server in front of a unix socket, as a daemon with --tlsverify.

    It uses the certificate in `files`. With `clients` it requires a client certificate of the same authority.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # a half-closed connection is no error, as in Go's TLS
    context.load_cert_chain(files / "cert.pem", files / "key.pem")
    if clients:
        context.load_verify_locations(files / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, unix.removeprefix("unix://")), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext, unix: str) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, context, unix), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, unix: str) -> None:
    with (
        plain,
        contextlib.suppress(OSError),
        context.wrap_socket(plain, server_side=True) as client,
        socket.socket(socket.AF_UNIX) as engine,
    ):
        engine.connect(unix)
        responses = threading.Thread(target=_copy, args=(engine, client), daemon=True)
        responses.start()
        _copy(client, engine)
        responses.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        socket.socket.shutdown(target, socket.SHUT_WR)
