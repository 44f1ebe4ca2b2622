"""A urllib3 pool for each kind of endpoint: unix socket, TCP, TLS, and ssh, of which each connection is a process.

Unix sockets go through requests-unixsocket's connection class.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import urllib3
from requests_unixsocket.adapters import UnixHTTPConnection
from urllib3.connection import HTTPConnection, HTTPSConnection

from dockerlab.endpoint import ssh, tls
from dockerlab.transport.http_response import Chunked

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint

__all__ = ["Asking", "SshEnded", "SshGarbled", "end_writing", "pool"]

CONNECTIONS = 8
#: So much of a file is read at once when it is sent.
BLOCK = 1 << 18
#: How much of what ssh complains about is kept: the last bytes say why it ended.
KEPT_BYTES = 8192
#: How long ssh may take to end by itself, then after it was asked to.
GRACE_SECONDS, END_SECONDS = 0.2, 2.0


def pool(endpoint: Endpoint) -> urllib3.HTTPConnectionPool:
    """Make the pool for an endpoint; it connects when it is first used.

    Raises EngineUnreachable if the files of its TLS can't be used.
    """
    options: dict[str, Any] = {"maxsize": CONNECTIONS, "block": False, "retries": False}
    if endpoint.kind == "unix":
        return _UnixPool(endpoint.address, **options)
    if endpoint.kind == "ssh":
        return _SshPool(ssh.parse(endpoint.address), **options)
    if endpoint.tls is None:
        return _TcpPool(endpoint.host, endpoint.port, **options)
    kind = _TlsPool if endpoint.tls.verify else _UnverifiedPool
    return kind(endpoint.host, endpoint.port, ssl_context=tls.context(endpoint.tls), **options)


def end_writing(held: socket.socket) -> None:
    """Tell the other side of a hijacked connection that nothing more will be written; reading goes on.

    Under TLS it is the TCP connection that says so: ssl's own way would end both directions at once.
    """
    socket.socket.shutdown(held, socket.SHUT_WR)


class Asking(http.client.HTTPConnection):
    """What a connection of urllib3 can do besides: be asked as http.client is, at half the time of a small call.

    Its `request` and `getresponse` are urllib3's, for a requests session.
    """

    response_class = Chunked
    kept = False  #: was it open already when it was taken out of its pool?

    def ask(self, method: str, target: str, body: Any, headers: dict[str, str]) -> None:
        """Send a request, its body as it is; one of unknown length goes in chunks."""
        self.blocksize = BLOCK
        with contextlib.suppress(BrokenPipeError):  # an engine may answer, and close, before it has read a whole body
            http.client.HTTPConnection.request(self, method, target, body, headers)

    def answer(self) -> Chunked:
        """Read the head of the answer. Raises IncompleteRead if the connection ends in it."""
        return http.client.HTTPConnection.getresponse(self)  # type: ignore[return-value]  # see response_class


class _UnixPool(urllib3.HTTPConnectionPool):
    """A pool of connections to one unix socket."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__("localhost", **options)
        self._socket_url = f"http+unix://{quote(path, safe='')}"

    def _new_conn(self) -> Any:
        self.num_connections += 1
        timeout: Any = self.timeout.connect_timeout
        return _UnixConnection(self._socket_url, timeout=timeout)


class _UnixConnection(Asking, UnixHTTPConnection):  # type: ignore[misc]  # which has no types
    """An HTTP connection over a unix socket."""


class _TcpConnection(Asking, HTTPConnection):
    """An HTTP connection over TCP."""


class _TlsConnection(Asking, HTTPSConnection):
    """An HTTP connection over TLS."""


class _TcpPool(urllib3.HTTPConnectionPool):
    """A pool of connections to one address."""

    ConnectionCls = _TcpConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    """A pool of connections to one address that are encrypted."""

    ConnectionCls = _TlsConnection


class _UnverifiedPool(_TlsPool):
    """A pool whose server is not verified, without urllib3's warning at each call: whoever switched it off knows."""

    def _validate_conn(self, conn: Any) -> None:
        if conn.is_closed:
            conn.connect()


# -- ssh -----------------------------------------------------------------------------------------------------


class SshEnded(ConnectionError):
    """ssh ended, or never began; the text says why, and what to do."""


class SshGarbled(ConnectionError):
    """Something else than an engine's answer came through ssh."""


class _SshPool(urllib3.HTTPConnectionPool):
    """A pool of connections to an engine behind ssh."""

    def __init__(self, address: ssh.Address, **options: Any) -> None:
        super().__init__("localhost", **options)
        self._address = address

    def _new_conn(self) -> Any:
        self.num_connections += 1
        return _SshConnection(self._address, self.timeout.connect_timeout)


class _SshConnection(Asking, HTTPConnection):
    """An HTTP connection whose other end is an ssh process."""

    def __init__(self, address: ssh.Address, timeout: Any) -> None:
        super().__init__("localhost", timeout=timeout)
        self._address = address
        self._process: _Process | None = None

    def connect(self) -> None:
        """Start ssh. Whether it arrives is seen when it is first asked."""
        self._process = None  # the former one has nothing to say about this
        seconds = self.timeout if isinstance(self.timeout, (int, float)) else 10.0
        self._process = _Process(ssh.command(self._address, seconds))
        self.sock = self._process.socket
        self.sock.settimeout(self.timeout)

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send a request, for a requests session."""
        with self._explained():
            super().request(*arguments, **options)

    def getresponse(self) -> Any:
        """Read the head of the answer, for a requests session."""
        with self._explained():
            return super().getresponse()

    def ask(self, method: str, target: str, body: Any, headers: dict[str, str]) -> None:
        """Send a request."""
        with self._explained():
            super().ask(method, target, body, headers)

    def answer(self) -> Chunked:
        """Read the head of the answer."""
        with self._explained():
            return super().answer()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Let what ssh wrote say why the connection broke: that its pipe closed tells nobody anything."""
        if self._process is not None:
            self._process.drain()  # so that one who complains much is never kept waiting
        try:
            yield
        except (BrokenPipeError, SshEnded):
            raise  # after a broken pipe urllib3 still reads an answer, and finds there what happened
        except (http.client.BadStatusLine, ConnectionError) as error:
            if self._process is None:
                raise
            if isinstance(error, http.client.BadStatusLine) and not isinstance(error, ConnectionError):
                raise SshGarbled(str(error)) from None
            code, said = self._process.last_words()
            raise SshEnded(ssh.explained(self._address, said, code)) from None


class _ProcessSocket(socket.socket):
    """A socket that ends the process at its other end when it is closed, or forgotten.

    The process is tied to the socket and not to the connection: an answer may outlive its connection.
    """

    ending: Any = None

    def _real_close(self, *arguments: Any) -> None:
        super()._real_close(*arguments)  # type: ignore[misc]
        if self.ending is not None:
            self.ending()


class _Process:
    """ssh, with one socket as its input and output and another for its complaints."""

    def __init__(self, command: list[str]) -> None:
        near, far = socket.socketpair()
        said, complaints = socket.socketpair()
        with far, complaints:
            try:
                self._process = subprocess.Popen(  # noqa: S603  (its words were checked by ssh.parse)
                    command, stdin=far.fileno(), stdout=far.fileno(), stderr=complaints.fileno(),
                    start_new_session=True,  # Ctrl-C is for Python, and ssh must not ask at the terminal
                )  # fmt: skip
            except OSError as error:
                near.close()
                said.close()
                raise SshEnded(_not_started(error)) from None
        self._complaints = _Complaints(said)
        self.socket = _ProcessSocket(fileno=near.detach())
        self.socket.ending = weakref.finalize(self.socket, _end, self._process, self._complaints)

    def drain(self) -> None:
        """Read what ssh wrote to its standard error so far."""
        self._complaints.read()

    def last_words(self) -> tuple[int | None, str]:
        """Give ssh's exit code, None if it runs on, and the last that it wrote to its standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)  # its output closes a moment before it ends
        return self._process.poll(), self._complaints.read()


class _Complaints:
    """What comes from a standard error, of which the last is kept."""

    def __init__(self, source: socket.socket) -> None:
        self._source, self._kept = source, b""
        source.setblocking(False)

    def read(self) -> str:
        """Give all that was kept, without waiting for more."""
        with contextlib.suppress(OSError):
            while more := self._source.recv(65536):
                self._kept = (self._kept + more)[-KEPT_BYTES:]
        return self._kept.decode("utf-8", "replace")

    def close(self) -> None:
        """Read what is there, and close."""
        self.read()
        self._source.close()


def _not_started(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "ssh:// needs the program ssh, which is not in PATH. Install it: sudo apt-get install openssh-client."
    return f"ssh can't be started: {error.strerror}. Try it by hand: ssh -V."


def _end(process: subprocess.Popen[bytes], complaints: _Complaints) -> None:
    """End ssh and what it started, and wait for it. Its input is closed already, so that it may end by itself."""
    for number, seconds in ((0, GRACE_SECONDS), (signal.SIGTERM, END_SECONDS), (signal.SIGKILL, END_SECONDS)):
        if process.poll() is not None:
            break
        if number:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    complaints.close()
