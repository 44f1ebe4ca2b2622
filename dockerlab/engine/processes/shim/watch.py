"""What a shim does while its container runs: it writes the log, and passes bytes between the container and clients.

Clients connect to `attach.sock` in the container's directory, and exchange frames with it, see frames.py. A client that
does not read blocks the container, as a full pipe would, until it is disconnected after ten seconds.
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

from dockerlab.engine.common.proc import children
from dockerlab.engine.processes.shim.frames import EOF, HEADER, SIZE, STDIN
from dockerlab.engine.processes.shim.log import STREAMS, Log

CHUNK, BUFFER_LIMIT = 65536, 1 << 20
POLL_MILLISECONDS = 200
#: Killing a process may hand its children to the shim: that many generations at most.
KILL_ROUNDS = 100
DRAIN_SECONDS, STUCK_SECONDS = 1.0, 10.0
TIOCSWINSZ = 0x5414
TERMINAL_SIZE = struct.Struct(">HH")  #: rows and columns, in a frame


def listen(directory: str) -> socket.socket:
    """Listen at `attach.sock` in a directory, whose path may be longer than a socket's address can be."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        name = f"/proc/self/fd/{descriptor}/attach.sock"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(name)
        listener.listen(64)
        listener.setblocking(False)
        return listener
    finally:
        os.close(descriptor)


class Client:
    """One connection, with the bytes that it has not taken yet, and the beginning of a frame that it has sent."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.unsent = bytearray()
        self.received = b""
        self.last_sent = time.monotonic()

    def send(self) -> None:
        """Send as much as the client takes now. Raise OSError if it is gone."""
        with contextlib.suppress(BlockingIOError):
            count = self.connection.send(self.unsent)
            del self.unsent[:count]
            self.last_sent = time.monotonic()

    def read_frames(self) -> list[tuple[int, bytes]]:
        """Return the frames that have arrived. Raise EOFError if the client has closed its side."""
        try:
            data = self.connection.recv(CHUNK)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError
        self.received += data
        frames = []
        while len(self.received) >= HEADER.size:
            kind, length = HEADER.unpack_from(self.received)
            if len(self.received) < HEADER.size + length:
                break
            frames.append((kind, self.received[HEADER.size : HEADER.size + length]))
            self.received = self.received[HEADER.size + length :]
        return frames


class Streams:
    """The shim's ends of a process's output and input (-1 without input), and whether they are a terminal."""

    def __init__(self, readers: list[int], stdin: int, tty: bool) -> None:
        self.readers = readers
        self.stdin = stdin
        self.tty = tty
        self.exit_code_fd = -1  #: where the exit code is read, if it is not that of the process itself


class Watch:
    """The loop of one container."""

    def __init__(self, pid: int, streams: Streams, log: Log, listener: socket.socket) -> None:
        self.pid = pid
        self.exit_code_fd = streams.exit_code_fd
        self.exit_code: int | None = None
        self.outputs = dict(zip(streams.readers, STREAMS))  # noqa: B905  (with a terminal there is one reader)
        self.stdin = streams.stdin
        self.tty = streams.tty
        self.log = log
        self.listener = listener
        self.clients: dict[int, Client] = {}
        self.input = bytearray()
        self.input_ended = False
        self.deadline: float | None = None
        for descriptor in {*streams.readers, streams.stdin, streams.exit_code_fd} - {-1}:
            os.set_blocking(descriptor, False)

    def run(self, container_pid: int | None = None) -> int:
        """Serve until the process has ended and its output is passed on; return its exit code.

        An exec ends with its container: `container_pid` is the container's main process.
        """
        process_end = os.pidfd_open(self.pid)
        container_end = _pidfd(container_pid) if container_pid else -1
        while self.outputs or self.deadline is None or any(client.unsent for client in self.clients.values()):
            for descriptor, event in self._poll(process_end, container_end):
                if descriptor in (process_end, self.exit_code_fd):
                    self._process_ended()
                    os.close(process_end)
                    process_end = -1
                elif descriptor == container_end:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(self.pid, signal.SIGKILL)
                    os.close(container_end)
                    container_end = -1
                else:
                    self._handle(descriptor, event)
            self._drop_stuck_clients()
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.outputs.clear()  # a process that escaped from the container still holds its output
            reap_adopted(self.pid)
        for name in STREAMS:
            self.log.write(name, b"", end=True)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return code if self.exit_code is None else self.exit_code

    def _process_ended(self) -> None:
        """Read the exit code if there is a pipe for it, and kill the processes that are left."""
        self.deadline = time.monotonic() + DRAIN_SECONDS
        if self.exit_code_fd >= 0:
            with contextlib.suppress(BlockingIOError, ValueError):
                self.exit_code = int(os.read(self.exit_code_fd, CHUNK))
            os.close(self.exit_code_fd)
            self.exit_code_fd = -1
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # the tracer: its children then become ours
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        kill_adopted(self.pid)

    def _poll(self, process_end: int, container_end: int) -> list[tuple[int, int]]:
        poller = select.poll()
        # while a client is behind, no output is read: the container then waits as it would for a full pipe
        blocked = any(len(client.unsent) > BUFFER_LIMIT for client in self.clients.values())
        always = (process_end, self.exit_code_fd, container_end, self.listener.fileno())
        for descriptor in (*always, *(() if blocked else self.outputs)):
            if descriptor >= 0:
                poller.register(descriptor, select.POLLIN)
        for descriptor, client in self.clients.items():
            events = select.POLLIN if len(self.input) < BUFFER_LIMIT else 0
            poller.register(descriptor, events | (select.POLLOUT if client.unsent else 0))
        if self.stdin >= 0 and self.input:
            poller.register(self.stdin, select.POLLOUT)
        has_deadline = self.deadline is not None or any(client.unsent for client in self.clients.values())
        return poller.poll(POLL_MILLISECONDS if has_deadline else None)

    def _handle(self, descriptor: int, event: int) -> None:
        if descriptor in self.outputs:
            self._read_output(descriptor)
        elif descriptor == self.listener.fileno():
            with contextlib.suppress(BlockingIOError):
                client = Client(self.listener.accept()[0])
                self.clients[client.connection.fileno()] = client
        elif descriptor in self.clients:
            self._serve_client(descriptor, event)
        if descriptor == self.stdin:
            self._write_input()

    # -- output ------------------------------------------------------------------------------------------------

    def _read_output(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # the end of a terminal is an error, not an empty read
            data = b""
        name = self.outputs[descriptor]
        self.log.write(name, data, end=not data)
        if not data:
            if descriptor == self.stdin:  # a terminal is input and output in one
                self.stdin = -1
            os.close(descriptor)
            del self.outputs[descriptor]
            return
        frame = HEADER.pack(1 + STREAMS.index(name), len(data)) + data
        for number, client in list(self.clients.items()):
            client.unsent += frame
            self._send(number, client)

    def _drop_stuck_clients(self) -> None:
        for number, client in list(self.clients.items()):
            if client.unsent and time.monotonic() - client.last_sent > STUCK_SECONDS:
                self._drop(number)
            elif not client.unsent:
                client.last_sent = time.monotonic()

    # -- clients -----------------------------------------------------------------------------------------------

    def _serve_client(self, number: int, event: int) -> None:
        client = self.clients[number]
        if event & select.POLLOUT:
            self._send(number, client)
        if event & (select.POLLIN | select.POLLHUP | select.POLLERR) and number in self.clients:
            try:
                for kind, data in client.read_frames():
                    self._take_frame(kind, data)
            except (EOFError, OSError):
                self._drop(number)

    def _take_frame(self, kind: int, data: bytes) -> None:
        if kind == STDIN and not self.input_ended:
            self.input += data
            self._write_input()
        elif kind == EOF:
            self.input_ended = True
            self._write_input()
        elif kind == SIZE and self.tty and self.stdin >= 0 and len(data) == TERMINAL_SIZE.size:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.stdin, TIOCSWINSZ, struct.pack("HHHH", *TERMINAL_SIZE.unpack(data), 0, 0))

    def _send(self, number: int, client: Client) -> None:
        try:
            client.send()
        except OSError:
            self._drop(number)

    def _drop(self, number: int) -> None:
        self.clients.pop(number).connection.close()

    # -- input -------------------------------------------------------------------------------------------------

    def _write_input(self) -> None:
        """Write to the container what clients have sent, and close its input after the last byte."""
        if self.stdin < 0:
            self.input.clear()
            return
        try:
            while self.input:
                count = os.write(self.stdin, self.input[:CHUNK])
                del self.input[:count]
        except BlockingIOError:
            return
        except OSError:  # the program has closed its input
            self.input.clear()
            self.input_ended = True
        if self.input_ended and not self.tty:
            os.close(self.stdin)
            self.stdin = -1


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1


def _adopted(main_process: int) -> list[int]:
    """Return the processes that became children of this shim when their parents ended."""
    return [child for child in children(os.getpid()) if child != main_process]


def reap_adopted(main_process: int) -> None:
    """Reap adopted processes that have ended. The main process waits: its exit code is read at the very end."""
    for child in _adopted(main_process):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


def kill_adopted(main_process: int) -> None:
    """Kill the processes that outlive the main process: in a pid namespace the kernel does that, elsewhere we do."""
    for _ in range(KILL_ROUNDS):
        leftovers = _adopted(main_process)
        if not leftovers:
            return
        for child in leftovers:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
