"""A urllib3 connection pool for each kind of endpoint: unix socket, TCP, TLS, and ssh.

Connections to unix sockets are requests-unixsocket's; each ssh connection is an ssh process.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import urllib3
from requests_unixsocket.adapters import UnixHTTPConnection
from urllib3.connection import HTTPConnection, HTTPSConnection

from dockerlab.endpoint import ssh, tls
from dockerlab.transport.http_response import Chunked
from dockerlab.transport.ssh_process import SshEnded, SshGarbled, SshProcess

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint

__all__ = ["DirectConnection", "pool", "shutdown_write"]

CONNECTIONS = 8
#: The size of the pieces in which a file is sent.
BLOCK = 1 << 18
SSH_CONNECT_SECONDS = 10.0


def pool(endpoint: Endpoint) -> urllib3.HTTPConnectionPool:
    """Return the pool for an endpoint; it connects when it is first used.

    Raises EngineUnreachable if the files for TLS can't be used.
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


def shutdown_write(sock: socket.socket) -> None:
    """Tell the other side of a hijacked connection that nothing more will be written; reading goes on.

    Under TLS this shuts down the TCP connection beneath, because ssl's own `unwrap` would end both directions.
    """
    socket.socket.shutdown(sock, socket.SHUT_WR)


class DirectConnection(http.client.HTTPConnection):
    """Adds http.client's own request and response to a connection of urllib3: they take half as long.

    `request` and `getresponse` stay urllib3's, for a requests session.
    """

    response_class = Chunked
    reused = False  #: whether the connection was already open when it was taken from its pool

    def send_request(self, method: str, target: str, body: Any, headers: dict[str, str]) -> None:
        """Send a request. A body of unknown length is sent in chunks."""
        self.blocksize = BLOCK
        with contextlib.suppress(BrokenPipeError):  # an engine may respond and close before it has read the whole body
            http.client.HTTPConnection.request(self, method, target, body, headers)

    def read_head(self) -> Chunked:
        """Read the status line and headers of the response. Raises IncompleteRead if the connection ends there."""
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


class _UnixConnection(DirectConnection, UnixHTTPConnection):  # type: ignore[misc]  # which has no types
    """An HTTP connection over a unix socket."""


class _TcpConnection(DirectConnection, HTTPConnection):
    """An HTTP connection over TCP."""


class _TlsConnection(DirectConnection, HTTPSConnection):
    """An HTTP connection over TLS."""


class _TcpPool(urllib3.HTTPConnectionPool):
    """A pool of connections to one address."""

    ConnectionCls = _TcpConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    """A pool of encrypted connections to one address."""

    ConnectionCls = _TlsConnection


class _UnverifiedPool(_TlsPool):
    """A pool that does not verify the server, without urllib3's warning at each call: the user has chosen this."""

    def _validate_conn(self, conn: Any) -> None:
        if conn.is_closed:
            conn.connect()


class _SshPool(urllib3.HTTPConnectionPool):
    """A pool of connections to an engine that is reached over ssh."""

    def __init__(self, address: ssh.Address, **options: Any) -> None:
        super().__init__("localhost", **options)
        self._address = address

    def _new_conn(self) -> Any:
        self.num_connections += 1
        return _SshConnection(self._address, self.timeout.connect_timeout)


class _SshConnection(DirectConnection, HTTPConnection):
    """An HTTP connection whose other end is an ssh process."""

    def __init__(self, address: ssh.Address, timeout: Any) -> None:
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

    def read_head(self) -> Chunked:
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
