"""Connections for each kind of endpoint: unix socket, TCP, TLS, and ssh, where each connection is an ssh process.

They are urllib3's connections; those to unix sockets are requests-unixsocket's. `Connections` keeps them open; a
requests session has a pool of urllib3 instead.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import urllib3
from requests_unixsocket.adapters import UnixHTTPConnection
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import is_connection_dropped

from dockerlab.endpoint import ssh, tls
from dockerlab.errors import ConnectionFailed
from dockerlab.transport.http_response import HttpResponse
from dockerlab.transport.ssh_process import SshEnded, SshGarbled, SshProcess

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint

__all__ = ["Connections", "DirectConnection", "pool", "shutdown_write"]

#: So many idle connections stay open.
MAX_OPEN = 8
#: The size of the pieces in which a file is sent.
BLOCK = 1 << 18
SSH_CONNECT_SECONDS = 10.0


def pool(endpoint: Endpoint) -> urllib3.HTTPConnectionPool:
    """Return urllib3's pool for an endpoint, for a requests session; it connects when it is first used.

    Raises EngineUnreachable if the files for TLS can't be used.
    """
    connection_class, options = _connection_class(endpoint)
    host, port = _host_and_port(endpoint)
    pool_class = urllib3.HTTPSConnectionPool if "ssl_context" in options else urllib3.HTTPConnectionPool
    pool = pool_class(host, port, maxsize=MAX_OPEN, block=False, retries=False, **options)
    pool.ConnectionCls = connection_class
    return pool


class Connections:
    """The connections to one endpoint, some of which stay open until they are needed again.

    urllib3's own pool hands out its connections only through private methods: its `urlopen` makes a small call
    take half as long again, and can't hand over a connection as attach and exec need it.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Prepare connections; none is opened yet. Raises EngineUnreachable if the files for TLS can't be used."""
        connection_class, options = _connection_class(endpoint)
        host, port = _host_and_port(endpoint)
        #: Returns a connection that is not open yet.
        self.new: Callable[[], DirectConnection] = partial(connection_class, host=host, port=port, **options)
        self._idle: queue.LifoQueue[DirectConnection] = queue.LifoQueue(MAX_OPEN)
        self._closed = False

    def take(self) -> DirectConnection:
        """Return an idle connection, or a new one that is not open yet. Raises ConnectionFailed after `close`."""
        if self._closed:
            raise ConnectionFailed("This Lab is closed. Connect again with dockerlab.connect().")
        try:
            connection: Any = self._idle.get_nowait()
        except queue.Empty:
            return self.new()
        if is_connection_dropped(connection):
            connection.close()
        return connection  # type: ignore[no-any-return]

    def give_back(self, connection: DirectConnection) -> None:
        """Store a connection for later, or close it if there are enough."""
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()
        if self._closed:  # perhaps by another thread, just now
            self.close()

    def close(self) -> None:
        """Close the idle connections, and every connection that is given back from now on."""
        self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


def _connection_class(endpoint: Endpoint) -> tuple[Any, dict[str, Any]]:
    """Return the class of an endpoint's connections, and its arguments besides host and port."""
    if endpoint.kind == "unix":
        return (_OwnConnection if endpoint.own_process else _UnixConnection), {"path": endpoint.address}
    if endpoint.kind == "ssh":
        return _SshConnection, {"address": ssh.parse(endpoint.address)}
    if endpoint.tls is None:
        return _TcpConnection, {}
    connection_class = _TlsConnection if endpoint.tls.verify else _UnverifiedConnection
    return connection_class, {"ssl_context": tls.context(endpoint.tls)}


def _host_and_port(endpoint: Endpoint) -> tuple[str, int | None]:
    """Return what urllib3 needs; for a socket and for ssh that is any name."""
    return ("localhost", None) if endpoint.kind in ("unix", "ssh") else (endpoint.host, endpoint.port)


def shutdown_write(sock: socket.socket) -> None:
    """Tell the other side of a hijacked connection that nothing more will be written; reading goes on.

    Under TLS this shuts down the TCP connection beneath, because ssl's own `unwrap` would end both directions.
    """
    socket.socket.shutdown(sock, socket.SHUT_WR)


class DirectConnection(http.client.HTTPConnection):
    """Adds http.client's own request and response to a connection of urllib3.

    Only http.client can hand over a connection, as attach and exec need it. It is also faster: 200 pings take 19 ms of
    CPU time, and 26 ms with urllib3's `request` and `getresponse`, which a requests session uses.
    """

    response_class = HttpResponse
    reused = False  #: whether the connection was already open when it was taken
    #: The socket of the last request. If the response ends the connection, http.client drops `sock` before it is read.
    request_socket: socket.socket | None = None

    def send_request(self, method: str, target: str, body: Any, headers: dict[str, str]) -> None:
        """Send a request. A body of unknown length is sent in chunks."""
        self.blocksize, self.request_socket = BLOCK, self.sock
        with contextlib.suppress(BrokenPipeError):  # an engine may respond and close before it has read the whole body
            http.client.HTTPConnection.request(self, method, target, body, headers)

    def read_head(self) -> HttpResponse:
        """Read the status line and headers of the response. Raises IncompleteRead if the connection ends there."""
        return http.client.HTTPConnection.getresponse(self)  # type: ignore[return-value]  # see response_class


class _UnixConnection(DirectConnection, UnixHTTPConnection):  # type: ignore[misc]  # which has no types
    """An HTTP connection over a unix socket."""

    def __init__(self, path: str, timeout: Any = None, **_: Any) -> None:
        super().__init__(f"http+unix://{quote(path, safe='')}", timeout=timeout)


class _OwnConnection(_UnixConnection):
    """A connection over a unix socket to a process of this user or of root. Nothing is sent to anybody else's."""

    def connect(self) -> None:
        super().connect()
        credentials = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
        _, uid, _ = struct.unpack("iII", credentials)
        if uid not in (os.getuid(), 0):
            self.close()
            raise OSError(f"the process behind it belongs to another user, {uid}")


class _TcpConnection(DirectConnection, HTTPConnection):
    """An HTTP connection over TCP."""


class _TlsConnection(DirectConnection, HTTPSConnection):
    """An HTTP connection over TLS."""


class _UnverifiedConnection(_TlsConnection):
    """A TLS connection that does not verify the server, without urllib3's warning: the user has chosen this."""

    def connect(self) -> None:
        super().connect()
        self.is_verified = True  # urllib3 warns at each call of a connection that is not


class _SshConnection(DirectConnection, HTTPConnection):
    """An HTTP connection whose other end is an ssh process."""

    def __init__(self, address: ssh.Address, timeout: Any = None, **_: Any) -> None:
        super().__init__("localhost", timeout=timeout)
        self._address = address
        self._process: SshProcess | None = None

    def connect(self) -> None:
        """Start ssh. Whether it reaches the engine is known only when the first response comes."""
        self._process = None  # if starting fails, the former process must not explain why
        seconds = self.timeout if isinstance(self.timeout, (int, float)) else SSH_CONNECT_SECONDS
        self._process = SshProcess(ssh.command(self._address, seconds))
        self.sock = self._process.socket
        self.sock.settimeout(self.timeout)

    def request(self, *arguments: Any, **options: Any) -> None:
        with self._errors_explained():
            super().request(*arguments, **options)

    def getresponse(self) -> Any:
        with self._errors_explained():
            return super().getresponse()

    def send_request(self, method: str, target: str, body: Any, headers: dict[str, str]) -> None:
        with self._errors_explained():
            super().send_request(method, target, body, headers)

    def read_head(self) -> HttpResponse:
        with self._errors_explained():
            return super().read_head()

    @contextlib.contextmanager
    def _errors_explained(self) -> Iterator[None]:
        """Explain a broken connection by what ssh wrote to its standard error: a closed pipe alone explains nothing."""
        if self._process is not None:
            self._process.drain_stderr()
        try:
            yield
        except (BrokenPipeError, SshEnded):
            raise  # after a broken pipe the response is read all the same, and then this method explains it
        except (http.client.BadStatusLine, ConnectionError) as error:
            if self._process is None:
                raise
            if isinstance(error, http.client.BadStatusLine) and not isinstance(error, ConnectionError):
                raise SshGarbled(str(error)) from None
            code, stderr = self._process.exit_status()
            raise SshEnded(ssh.explained(self._address, stderr, code)) from None
