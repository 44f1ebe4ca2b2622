"""Stands before an engine's unix socket and speaks TLS, as a daemon with --tlsverify does."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tls_front(unix: str, files: Path, *, clients: bool = True) -> Iterator[int]:
    """Give the port at which `files` are shown, and a client's certificate of the same authority is wanted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # an end of what is written is one, as it is to Go's TLS
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
            opened, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(opened, context, unix), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, unix: str) -> None:
    with (
        plain,
        contextlib.suppress(OSError),
        context.wrap_socket(plain, server_side=True) as near,
        socket.socket(socket.AF_UNIX) as far,
    ):
        far.connect(unix)
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        socket.socket.shutdown(target, socket.SHUT_WR)
