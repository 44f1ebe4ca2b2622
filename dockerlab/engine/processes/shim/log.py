"""Writes a container's log. It imports little, because every start waits for it."""

from __future__ import annotations

import contextlib
import json
import os
from json.encoder import encode_basestring as _quoted

from dockerlab.engine.common.timestamps import now

LONGEST_LINE = 16384
STREAMS = ("stdout", "stderr")


class Log:
    """Writes Docker's json-file format: one record per line, long lines in pieces, bytes that aren't UTF-8 replaced.

    A container goes on when its log can't be written, for example because the disk is full. Then lines are lost; when
    writing works again, a record says how many.
    """

    def __init__(self, path: str, size: int = 0, files: int = 1, attributes: dict[str, str] | None = None) -> None:
        """Append to the log at a path; an empty path means no log.

        A file that has reached `size` bytes is rotated; `files` is how many files there are at most.
        """
        self.path, self.size, self.files = path, size, files
        self.attributes = f'"attrs":{json.dumps(attributes, sort_keys=True)},' if attributes else ""
        self.file, self.lost = -1, 0
        if path:
            with contextlib.suppress(OSError):
                self.file = self._open()
        self.incomplete = dict.fromkeys(STREAMS, b"")  # the beginnings of lines

    def write(self, stream: str, data: bytes, end: bool = False) -> None:
        """Write the complete lines; at the end of a stream also an incomplete one."""
        if not self.path:
            return
        data = self.incomplete[stream] + data
        lines = data.split(b"\n")
        rest, time_text = lines.pop(), now()
        pieces = [line + b"\n" for line in lines]
        while len(rest) >= LONGEST_LINE or (end and rest):
            pieces.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self.incomplete[stream] = rest
        records = [
            self._record(piece[start : start + LONGEST_LINE], stream, time_text)
            for piece in pieces
            for start in range(0, len(piece), LONGEST_LINE)
        ]
        for block in records if self.size else ["".join(records)] if records else []:
            self._append(block.encode(), 1 if self.size else len(records), time_text)

    def _record(self, text: bytes, stream: str, time_text: str) -> str:
        quoted = _quoted(text.decode("utf-8", "replace"))
        return f'{{"log":{quoted},"stream":"{stream}",{self.attributes}"time":"{time_text}"}}\n'

    def _append(self, data: bytes, count: int, time_text: str) -> None:
        """Append records, all of them or none. Records that can't be written are counted."""
        if self.lost:
            notice = f"[{self.lost} log lines before this one were lost: the log could not be written]\n"
            data = self._record(notice.encode(), "stderr", time_text).encode() + data
        length = -1
        try:
            if self.file < 0:
                self.file = self._open()
            length = os.fstat(self.file).st_size
            if self.size and length >= self.size:
                self._rotate()
                length = 0
            while data:
                data = data[os.write(self.file, data) :]
            self.lost = 0
        except OSError:
            self.lost += count
            if length >= 0:
                with contextlib.suppress(OSError):
                    os.ftruncate(self.file, length)  # no half record stays in the file

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    def _rotate(self) -> None:
        """Begin a new file: the current one becomes `.1`, `.1` becomes `.2`, and the oldest is removed.

        No file is truncated, so a reader that has one open can read it to its end.
        """
        free = (number for number in range(1, self.files) if not os.path.exists(f"{self.path}.{number}"))  # noqa: PTH110
        for number in range(next(free, self.files - 1), 0, -1):
            older = f"{self.path}.{number - 1}" if number > 1 else self.path
            if os.path.exists(older):  # noqa: PTH110
                os.replace(older, f"{self.path}.{number}")  # noqa: PTH105
        if self.files == 1:
            os.unlink(self.path)  # noqa: PTH108
        os.close(self.file)
        self.file = -1
        self.file = self._open()
