"""What a shim does while its container runs: it keeps the log, and passes bytes between the container and clients.

Clients connect to `attach.sock` in the container's directory. They get frames as Docker's streams have them, and send
frames with the same header: STDIN has bytes for the container, EOF ends its input, SIZE is for its terminal. A client
that doesn't read holds the container up, as a full pipe would, until it is dropped after ten seconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import time

from dockerlab.engine.processes.shim.log import STREAMS, Log

HEADER = struct.Struct(">BxxxI")
STDIN, EOF, SIZE = 0, 1, 2
CHUNK, FULL = 65536, 1 << 20
DRAIN_SECONDS, STUCK_SECONDS = 1.0, 10.0
TIOCSWINSZ = 0x5414


def listen(directory: str) -> socket.socket:
    """Listen in a directory, whose path may be longer than a socket's may."""
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        name = f"/proc/self/fd/{place}/attach.sock"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108
        heard = socket.socket(socket.AF_UNIX)
        heard.bind(name)
        heard.listen(64)
        heard.setblocking(False)
        return heard
    finally:
        os.close(place)


class Client:
    """One connection: what it is to get, and what it has sent of a frame."""

    def __init__(self, connection: socket.socket) -> None:
        """Take a connection."""
        connection.setblocking(False)
        self.connection = connection
        self.out = bytearray()
        self.heard = b""
        self.moved = time.monotonic()

    def send(self) -> None:
        """Send what there is room for. Raises OSError if the client is gone."""
        with contextlib.suppress(BlockingIOError):
            sent = self.connection.send(self.out)
            del self.out[:sent]
            self.moved = time.monotonic()

    def frames(self) -> list[tuple[int, bytes]]:
        """Give the frames that have come. Raises EOFError if the client has ended."""
        try:
            data = self.connection.recv(CHUNK)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError
        self.heard += data
        found = []
        while len(self.heard) >= HEADER.size:
            kind, length = HEADER.unpack_from(self.heard)
            if len(self.heard) < HEADER.size + length:
                break
            found.append((kind, self.heard[HEADER.size : HEADER.size + length]))
            self.heard = self.heard[HEADER.size + length :]
        return found


class Streams:
    """A process's streams: what its output comes from, where its input goes (-1 if it has none), is it a terminal."""

    def __init__(self, readers: list[int], stdin: int, tty: bool) -> None:
        """Take the handles."""
        self.readers = readers
        self.stdin = stdin
        self.tty = tty
        self.verdict = -1  #: where the code is told, if it isn't that of the process itself


class Watch:
    """The loop of one container."""

    def __init__(self, pid: int, streams: Streams, log: Log, door: socket.socket) -> None:
        """Watch a process."""
        self.pid = pid
        self.verdict = streams.verdict
        self.code: int | None = None
        self.names = dict(zip(streams.readers, STREAMS))  # noqa: B905  (with a TTY there is one reader)
        self.stdin = streams.stdin
        self.tty = streams.tty
        self.log = log
        self.door = door
        self.clients: dict[int, Client] = {}
        self.input = bytearray()
        self.closing = False
        self.deadline: float | None = None
        for handle in {*streams.readers, streams.stdin, streams.verdict} - {-1}:
            os.set_blocking(handle, False)

    def run(self, beside: int | None = None) -> int:
        """Go on until the container has ended and all is told; give its exit code.

        `beside` is the pid of a process whose end ends this one: of the container, if this is an exec.
        """
        ended = os.pidfd_open(self.pid)
        other = _pidfd(beside) if beside else -1
        while self.names or self.deadline is None or any(client.out for client in self.clients.values()):
            for handle, event in self._poll(ended, other):
                if handle in (ended, self.verdict):
                    self._ended()
                    os.close(ended)
                    ended = -1
                elif handle == other:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(self.pid, signal.SIGKILL)
                    os.close(other)
                    other = -1
                else:
                    self._handle(handle, event)
            self._drop_stuck()
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.names.clear()  # something that left the container still holds its output
            reap(self.pid)
        for name in STREAMS:
            self.log.take(name, b"", end=True)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return code if self.code is None else self.code

    def _ended(self) -> None:
        """The program has ended: learn its code where it is told, and end what it leaves."""
        self.deadline = time.monotonic() + DRAIN_SECONDS
        if self.verdict >= 0:
            with contextlib.suppress(BlockingIOError, ValueError):
                self.code = int(os.read(self.verdict, CHUNK))
            os.close(self.verdict)
            self.verdict = -1
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # the tracer: what it leaves becomes our child
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        end_the_rest(self.pid)

    def _poll(self, ended: int, other: int) -> list[tuple[int, int]]:
        poller = select.poll()
        full = any(len(client.out) > FULL for client in self.clients.values())
        for handle in (ended, self.verdict, other, self.door.fileno(), *(() if full else self.names)):
            if handle >= 0:
                poller.register(handle, select.POLLIN)
        for handle, client in self.clients.items():
            wanted = select.POLLIN if len(self.input) < FULL else 0
            poller.register(handle, wanted | (select.POLLOUT if client.out else 0))
        if self.stdin >= 0 and self.input:
            poller.register(self.stdin, select.POLLOUT)
        waiting = self.deadline is not None or any(client.out for client in self.clients.values())
        return poller.poll(200 if waiting else None)

    def _handle(self, handle: int, event: int) -> None:
        if handle in self.names:
            self._output(handle)
        elif handle == self.door.fileno():
            with contextlib.suppress(BlockingIOError):
                client = Client(self.door.accept()[0])
                self.clients[client.connection.fileno()] = client
        elif handle in self.clients:
            self._client(handle, event)
        if handle == self.stdin:
            self._feed()

    # -- output ------------------------------------------------------------------------------------------------

    def _output(self, handle: int) -> None:
        """Take what is there; a terminal whose other side is closed answers with an error."""
        try:
            data = os.read(handle, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        name = self.names[handle]
        self.log.take(name, data, end=not data)
        if not data:
            if handle != self.stdin:  # a terminal is both
                os.close(handle)
            else:
                self.stdin = -1
                os.close(handle)
            del self.names[handle]
            return
        frame = HEADER.pack(1 + STREAMS.index(name), len(data)) + data
        for number, client in list(self.clients.items()):
            client.out += frame
            self._try(number, client.send)

    def _drop_stuck(self) -> None:
        for number, client in list(self.clients.items()):
            if client.out and time.monotonic() - client.moved > STUCK_SECONDS:
                self._drop(number)
            elif not client.out:
                client.moved = time.monotonic()

    # -- clients -----------------------------------------------------------------------------------------------

    def _client(self, number: int, event: int) -> None:
        client = self.clients[number]
        if event & select.POLLOUT:
            self._try(number, client.send)
        if event & (select.POLLIN | select.POLLHUP | select.POLLERR) and number in self.clients:
            try:
                for kind, data in client.frames():
                    self._told(kind, data)
            except (EOFError, OSError):
                self._drop(number)

    def _told(self, kind: int, data: bytes) -> None:
        if kind == STDIN and not self.closing:
            self.input += data
            self._feed()
        elif kind == EOF:
            self.closing = True
            self._feed()
        elif kind == SIZE and self.tty and self.stdin >= 0 and len(data) == 4:  # noqa: PLR2004
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.stdin, TIOCSWINSZ, struct.pack("HHHH", *struct.unpack(">HH", data), 0, 0))

    def _try(self, number: int, send: object) -> None:
        try:
            send()  # type: ignore[operator]
        except OSError:
            self._drop(number)

    def _drop(self, number: int) -> None:
        self.clients.pop(number).connection.close()

    # -- input -------------------------------------------------------------------------------------------------

    def _feed(self) -> None:
        """Give the container what it was sent, and end its input when that was asked for."""
        if self.stdin < 0:
            self.input.clear()
            return
        try:
            while self.input:
                sent = os.write(self.stdin, self.input[:CHUNK])
                del self.input[:sent]
        except BlockingIOError:
            return
        except OSError:  # nobody reads any more
            self.input.clear()
            self.closing = True
        if self.closing and not self.tty:
            os.close(self.stdin)
            self.stdin = -1


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1


def reap(init: int) -> None:
    """Take leave of adopted children, but not of the container's first process: its code is asked for later."""
    for child in children(os.getpid()):
        if child != init:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


def children(pid: int) -> list[int]:
    """Give the children of a process."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def end_the_rest(init: int) -> None:
    """Kill what the container's first process leaves: in namespaces the kernel does it, elsewhere we do."""
    for _ in range(100):
        rest = [child for child in children(os.getpid()) if child != init]
        if not rest:
            return
        for child in rest:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
