"""An ssh process as a socket: its input and output are one end of a socket pair, and its errors are collected."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import weakref
from typing import Any

__all__ = ["SshEnded", "SshGarbled", "SshProcess"]

#: Only the end of ssh's standard error is stored: it says why ssh ended.
STDERR_BYTES = 8192
#: How long ssh may take to end by itself, and how long after each signal.
GRACE_SECONDS, END_SECONDS = 0.2, 2.0


class SshEnded(ConnectionError):
    """ssh ended, or never started. The message says why, and what to do."""


class SshGarbled(ConnectionError):
    """What came through ssh is not a response of an engine."""


class SshProcess:
    """A running ssh. `socket` is connected to its standard input and output."""

    def __init__(self, command: list[str]) -> None:
        near, far = socket.socketpair()
        stderr_near, stderr_far = socket.socketpair()
        with far, stderr_far:
            try:
                self._process = subprocess.Popen(  # noqa: S603  (ssh.parse has checked its arguments)
                    command, stdin=far.fileno(), stdout=far.fileno(), stderr=stderr_far.fileno(),
                    start_new_session=True,  # Ctrl-C is meant for Python, and ssh must not prompt at the terminal
                )  # fmt: skip
            except OSError as error:
                near.close()
                stderr_near.close()
                raise SshEnded(_not_started(error)) from None
        self._stderr = _StderrTail(stderr_near)
        self.socket = _ProcessSocket(fileno=near.detach())
        self.socket.finalizer = weakref.finalize(self.socket, _end, self._process, self._stderr)

    def drain_stderr(self) -> None:
        """Read what ssh has written to its standard error, so that ssh never blocks on it."""
        self._stderr.read()

    def exit_status(self) -> tuple[int | None, str]:
        """Return ssh's exit code, None if it is still running, and the end of its standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)  # its output closes a moment before it ends
        return self._process.poll(), self._stderr.read()


class _ProcessSocket(socket.socket):
    """A socket that ends the process at its other end when it is closed or garbage-collected.

    The process belongs to the socket and not to the connection, because a response may outlive its connection.
    """

    finalizer: Any = None

    def close(self) -> None:
        super().close()
        # Python calls this again when the last file object on the socket is closed; only then is it really closed.
        if self.fileno() < 0 and self.finalizer is not None:
            self.finalizer()


class _StderrTail:
    """The end of what a process writes to its standard error."""

    def __init__(self, source: socket.socket) -> None:
        self._source, self._tail = source, b""
        source.setblocking(False)

    def read(self) -> str:
        """Return the end of what was written so far, without waiting for more."""
        with contextlib.suppress(OSError):
            while data := self._source.recv(65536):
                self._tail = (self._tail + data)[-STDERR_BYTES:]
        return self._tail.decode("utf-8", "replace")

    def close(self) -> None:
        self.read()
        self._source.close()


def _not_started(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "ssh:// needs the program ssh, which is not in PATH. Install it: sudo apt-get install openssh-client."
    return f"ssh can't be started: {error.strerror}. Try it in a terminal: ssh -V."


def _end(process: subprocess.Popen[bytes], stderr: _StderrTail) -> None:
    """End ssh and its children. Its input is already closed, so it first gets a moment to end by itself."""
    for number, seconds in ((0, GRACE_SECONDS), (signal.SIGTERM, END_SECONDS), (signal.SIGKILL, END_SECONDS)):
        if process.poll() is not None:
            break
        if number:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    stderr.close()
