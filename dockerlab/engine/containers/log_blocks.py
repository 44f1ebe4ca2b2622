"""Converts blocks of plain log records without parsing the JSON of each record.

The shim writes a whole line without special characters as a record with one backslash, in the `\\n` at its end, and
with a tail of a fixed length. A block that has only such records can be split at the places between them, which is as
fast as `bytes.split`.
"""

from __future__ import annotations

from dockerlab.engine.processes.shim.frames import HEADER

__all__ = ["convert_plain_block", "framed"]

STREAM_NUMBERS = {"stdout": 1, "stderr": 2}
HEAD, BETWEEN, END, NEWLINE = b'{"log":"', b'"}\n{"log":"', b'"}', b"\n"
TIME_LENGTH = len("2026-01-02T03:04:05.123456789Z")
TAILS = {name: f'\\n","stream":"{name}","time":"'.encode() for name in STREAM_NUMBERS}
TAIL_LENGTH = len(TAILS["stdout"]) + TIME_LENGTH  # the tail of stderr has the same length


def framed(stream: str, data: bytes) -> bytes:
    """Return data with the 8-byte frame header before it."""
    return HEADER.pack(STREAM_NUMBERS[stream], len(data)) + data


class _Headers(dict[int, bytes]):
    """The frame header for a line by its length, after the newline that ends the line before it."""

    def __init__(self, stream: str) -> None:
        super().__init__()
        self.number = STREAM_NUMBERS[stream]

    def __missing__(self, length: int) -> bytes:
        self[length] = NEWLINE + HEADER.pack(self.number, length + 1)
        return self[length]


HEADERS = {name: _Headers(name) for name in STREAM_NUMBERS}


def convert_plain_block(block: bytes, streams: tuple[str, ...], timestamps: bool, frames: bool) -> bytes | None:
    """Return the lines of the records in a block, or None if the records have to be parsed one by one.

    The block is complete except for its last newline.
    """
    count = block.count(NEWLINE) + 1
    stream = "stdout" if TAILS["stdout"] in block else "stderr"
    if block.count(b"\\") != count or block.count(TAILS[stream]) != count:
        return None
    if stream not in streams:
        return b""
    records = block[len(HEAD) : -len(END)].split(BETWEEN)
    if len(records) != count:
        return None
    if timestamps:
        lines = [record[-TIME_LENGTH:] + b" " + record[:-TAIL_LENGTH] for record in records]
    else:
        lines = [record[:-TAIL_LENGTH] for record in records]
    if not frames:
        return NEWLINE.join(lines) + NEWLINE
    parts = [b""] * (2 * count)
    parts[0::2] = map(HEADERS[stream].__getitem__, map(len, lines))
    parts[1::2] = lines
    return b"".join(parts)[1:] + NEWLINE
