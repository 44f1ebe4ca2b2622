"""What attach and exec give: a program's input and output, on a connection of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from dockerlab.groups.following import Following
from dockerlab.protocol.streams import frames, lines, unframed

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.transport.hijack import Hijacked

__all__ = ["Attached", "Piece"]


class Piece(NamedTuple):
    """Some bytes of a program's output, as they came: `stream` (stdout or stderr) and `data`."""

    stream: str
    data: bytes

    @property
    def text(self) -> str:
        """The bytes as text: those that aren't UTF-8 are shown as `\\xff`."""
        return self.data.decode("utf-8", "backslashreplace")


class Attached(Following[Piece]):
    """A program's output, piece by piece, and its input.

    Iterate over it with `for` or `async for`: each is a `Piece`. `read()` gives all that still comes, `read_until`
    waits for some words of it, `table()` gives its lines. `write` sends to its input, `close_stdin` ends that.
    Use it in `with`. It ends with the program, when it is closed, or after `limit` seconds.
    """

    def __init__(self, taken: Hijacked, *, tty: bool, limit: float | None = None, timeout: float | None = None) -> None:
        """Take a connection; with a TTY it has no frames, and all is stdout."""
        self.tty = tty
        self._taken = taken
        super().__init__(taken, partial(_pieces, tty), limit=limit, timeout=timeout, table=partial(_lines, tty))

    def write(self, data: str | bytes, *, timeout: float | None = None) -> None:
        """Send text or bytes to the program's input.

        Raises StreamBroken if it takes none any more, and EngineTimeout if it takes nothing for `timeout` seconds (the
        Lab's timeout, or the one of this connection).
        """
        self._taken.write(data.encode() if isinstance(data, str) else data, timeout)

    def close_stdin(self) -> None:
        """End the program's input; its output goes on."""
        self._taken.close_write()

    def read(self) -> bytes:
        """Give all bytes that still come, of both streams in their order."""
        return b"".join(piece.data for piece in self)

    def read_until(self, words: str | bytes) -> bytes:
        """Give the bytes that come up to some words, with these; or all, if they don't come before the end."""
        wanted = words.encode() if isinstance(words, str) else words
        found = b""
        for piece in self:
            found += piece.data
            if wanted in found:
                break
        return found


def _pieces(tty: bool, chunks: Iterable[bytes]) -> Iterator[Piece]:
    return (Piece(*piece) for piece in (unframed(chunks) if tty else frames(chunks)))


def _lines(tty: bool, pieces: list[Piece]) -> pd.DataFrame:
    from dockerlab.tables.log import log_table

    return log_table(lines(pieces, tty=tty), timestamps=False)
