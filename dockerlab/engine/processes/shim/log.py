"""What a shim writes: the container's log, and small files that are whole or not there. With few imports."""

from __future__ import annotations

import json
import os
import time
from json.encoder import encode_basestring as _quoted

LONGEST_LINE = 16384
STREAMS = ("stdout", "stderr")


def now() -> str:
    """Write the moment as Docker's logs do, to the nanosecond."""
    seconds, rest = divmod(time.time_ns(), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def save(path: str, value: object) -> None:
    """Write JSON whole or not at all."""
    with open(path + ".new", "w") as file:  # noqa: PTH123
        json.dump(value, file)
    os.replace(path + ".new", path)  # noqa: PTH105


class Log:
    """Writes Docker's json-file: a record a line, long lines in pieces, bytes that aren't UTF-8 replaced."""

    def __init__(self, path: str, size: int = 0, files: int = 1, attributes: dict[str, str] | None = None) -> None:
        """Go on with the file, or begin it; without a path nothing is kept.

        A file with `size` bytes is put aside, of which there are `files` with the newest.
        """
        self.path, self.size, self.files = path, size, files
        self.attributes = f'"attrs":{json.dumps(attributes, sort_keys=True)},' if attributes else ""
        self.file = self._open() if path else -1
        self.rest = dict.fromkeys(STREAMS, b"")

    def take(self, stream: str, data: bytes, end: bool = False) -> None:
        """Write the lines that are whole; at the end also what is left."""
        if self.file < 0:
            return
        data = self.rest[stream] + data
        lines = data.split(b"\n")
        rest, moment, out = lines.pop(), now(), []
        pieces = [line + b"\n" for line in lines]
        while len(rest) >= LONGEST_LINE or (end and rest):
            pieces.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self.rest[stream] = rest
        for piece in pieces:
            for start in range(0, len(piece), LONGEST_LINE):
                text = _quoted(piece[start : start + LONGEST_LINE].decode("utf-8", "replace"))
                out.append(f'{{"log":{text},"stream":"{stream}",{self.attributes}"time":"{moment}"}}\n')
        for block in out if self.size else ["".join(out)]:
            self._write(block.encode())

    def _write(self, data: bytes) -> None:
        if self.size and data and os.fstat(self.file).st_size >= self.size:
            self._put_aside()
        while data:
            data = data[os.write(self.file, data) :]

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    def _put_aside(self) -> None:
        """Begin a new file; the last one becomes `.1`, and those before it move on, as far as there is room.

        None is cut short: whoever reads one that is gone reads it to its end.
        """
        for number in range(self.files - 1, 0, -1):
            older = f"{self.path}.{number - 1}" if number > 1 else self.path
            if os.path.exists(older):  # noqa: PTH110
                os.replace(older, f"{self.path}.{number}")  # noqa: PTH105
        if self.files == 1:
            os.unlink(self.path)  # noqa: PTH108
        os.close(self.file)
        self.file = self._open()
