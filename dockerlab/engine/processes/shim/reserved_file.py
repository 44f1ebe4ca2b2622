"""JSON files whose place on the disk is reserved: they can be written when the disk has become full meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from dockerlab.engine.common import json_files

SIZE = 512


class ReservedFile:
    """A small JSON file that will be written once. A reader sees all of it or nothing."""

    def __init__(self, path: str) -> None:
        """Reserve its place. Raise OSError if there is none."""
        directory, name = os.path.split(path)
        self.path, self.reserved = path, f"{directory}/.{name}.reserved"
        descriptor = os.open(self.reserved, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, b" " * SIZE)
        finally:
            os.close(descriptor)

    def write(self, value: Any) -> None:
        """Write the value. If that fails, there is no file: the engine then knows less, and the container goes on."""
        with contextlib.suppress(OSError):
            try:
                with open(self.reserved, "r+b", buffering=0) as file:  # noqa: PTH123
                    file.write(json.dumps(value).encode().ljust(SIZE))
                os.replace(self.reserved, self.path)  # noqa: PTH105
            except FileNotFoundError:
                json_files.write(self.path, value, sync=False)

    def release(self) -> None:
        """Give the place back."""
        with contextlib.suppress(OSError):
            os.unlink(self.reserved)  # noqa: PTH108
