"""An engine that fails: it answers a ping, and everything else with the bytes of a test, and then ends as told."""

from __future__ import annotations

import gc
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from processes import open_files

import dockerlab
from dockerlab import Lab

__all__ = ["Engine", "faulty", "unharmed"]

PING = b"HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 2\r\n\r\nOK"
#: What to say to a request: its bytes, or what gives them one after the other when it is told the request's head.
Said = bytes | Callable[[bytes], Iterable[bytes]]


class Engine:
    """Listens at a TCP port of this machine. `end` is fin, rst, stall (say no more) or keep (wait for a request)."""

    def __init__(self, said: Said, end: str) -> None:
        """Listen; `heard` has what came besides requests' heads, `sent` counts the bytes of answers."""
        self._said, self._end = said, end
        self.heard = b""
        self.sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                opened, _ = self._listener.accept()
            except OSError:
                return
            opened.settimeout(20)
            self._threads.append(threading.Thread(target=self._serve, args=(opened,), daemon=True))
            self._threads[-1].start()

    def _serve(self, opened: socket.socket) -> None:
        with opened:
            try:
                while head := self._request(opened):
                    if b"/_ping " in head.split(b"\r\n", 1)[0]:
                        opened.sendall(PING)
                        continue
                    self._answer(opened, head)
                    if self._end != "keep":
                        return
            except OSError:  # the client has gone
                return

    def _request(self, opened: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := opened.recv(65536)):
                return b""
            head += more
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        whole = head.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
        while len(head) < whole and (more := opened.recv(65536)):
            head += more
        return head

    def _answer(self, opened: socket.socket, head: bytes) -> None:
        for piece in [self._said] if isinstance(self._said, bytes) else self._said(head):
            opened.sendall(piece)
            self.sent += len(piece)
        if self._end == "rst":
            time.sleep(0.02)  # what was sent before must arrive before
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self._end == "stall":
            while more := opened.recv(65536):
                self.heard += more

    def close(self) -> None:
        """Listen no more, and wait until every connection has ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def faulty(said: Said, end: str = "fin", timeout: float = 5) -> Iterator[tuple[Lab, Engine]]:
    """Connect to such an engine. Afterwards no file and no thread is left of it, or of the client."""
    with unharmed():
        engine = Engine(said, end)
        try:
            with dockerlab.connect(engine.url, timeout=timeout) as lab:
                yield lab, engine
        finally:
            engine.close()


@contextmanager
def unharmed(seconds: float = 5) -> Iterator[None]:
    """Fail if a file or a thread is left behind."""
    files, threads = open_files(), threading.active_count()
    yield
    end = time.monotonic() + seconds
    while open_files() > files or threading.active_count() > threads:
        assert time.monotonic() < end, f"left open: files {files} -> {open_files()}, {threading.enumerate()}"
        gc.collect()
        time.sleep(0.02)
