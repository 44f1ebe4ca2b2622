"""The result of attach and exec: a program's input and output, on a connection of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from dockerlab.groups.following import Following
from dockerlab.protocol.streams import frames, lines, unframed

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.protocol.caller import Connection

__all__ = ["Attached", "Piece"]


class Piece(NamedTuple):
    """Some bytes of a program's output, as they arrived: `stream` (stdout or stderr) and `data`."""

    stream: str
    data: bytes

    @property
    def text(self) -> str:
        """The bytes as text; bytes that aren't UTF-8 are shown as `\\xff`."""
        return self.data.decode("utf-8", "backslashreplace")


class Attached(Following[Piece]):
    """A program's output, piece by piece, and its input.

    Iterate over it with `for` or `async for`: each item is a `Piece`. `read()` returns all remaining output,
    `read_until` waits for some text in it, `table()` returns its lines. `write` sends to the program's input, and
    `close_stdin` ends the input. Use it in `with`. It ends with the program, when it is closed, or after `limit`
    seconds.
    """

    def __init__(
        self, connection: Connection, *, tty: bool, limit: float | None = None, timeout: float | None = None
    ) -> None:
        """Read from `connection`; with a TTY it has no frames, and all output is stdout."""
        self.tty = tty
        self._connection = connection
        super().__init__(connection, partial(_pieces, tty), limit=limit, timeout=timeout, table=partial(_lines, tty))

    def write(self, data: str | bytes, *, timeout: float | None = None) -> None:
        """Send text or bytes to the program's input.

        Raises StreamBroken if the input is closed, and EngineTimeout if the program reads nothing for `timeout` seconds
        (by default the timeout of this connection, or of the Lab).
        """
        self._connection.write(data.encode() if isinstance(data, str) else data, timeout)

    def close_stdin(self) -> None:
        """End the program's input; its output goes on."""
        self._connection.close_write()

    def read(self) -> bytes:
        """Return all remaining bytes of both streams, in the order in which they arrive."""
        return b"".join(piece.data for piece in self)

    def read_until(self, words: str | bytes) -> bytes:
        """Return the bytes up to and including `words`, or all bytes if the output ends without them."""
        end = words.encode() if isinstance(words, str) else words
        output = b""
        for piece in self:
            output += piece.data
            if end in output:
                break
        return output


def _pieces(tty: bool, chunks: Iterable[bytes]) -> Iterator[Piece]:
    return (Piece(*piece) for piece in (unframed(chunks) if tty else frames(chunks)))


def _lines(tty: bool, pieces: list[Piece]) -> pd.DataFrame:
    from dockerlab.tables.log import log_table

    return log_table(lines(pieces, tty=tty), timestamps=False)
