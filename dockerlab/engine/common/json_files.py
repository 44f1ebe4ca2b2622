"""JSON files, one per object, that a reader always sees whole.

The shim imports this module, so it does without pathlib, which would cost each start 10 ms.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

__all__ = ["read", "write"]

Path = str | os.PathLike[str]


def write(path: Path, value: Any, *, sync: bool = True) -> None:
    """Write a value as JSON into a file next to the path, and rename it, so that nobody ever reads half of it.

    Without `sync` the file may be lost if the machine crashes.
    """
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.new")  # noqa: PTH118
    try:
        with open(temporary, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(value, file)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def read(path: Path) -> Any:
    """Return the value in a file, or None if there is no such file or it is not JSON."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            return json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
