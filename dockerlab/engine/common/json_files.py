"""JSON files, one per object, that a reader always sees whole.

The shim imports this module, so it does without pathlib, which would cost each start 10 ms.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import Any

__all__ = ["load", "read", "read_bytes", "write"]

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
    """Return the value in a file, or None if there is no such file or it can't be read."""
    try:
        return load(path)
    except ValueError:
        return None


def load(path: Path) -> Any:
    """Return the value in a file, or None if there is no such file. Raises ValueError with the reason."""
    data = read_bytes(path)
    if data is None:
        return None
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def read_bytes(path: Path) -> bytes | None:
    """Return the content of a file, or None if there is no such file. Raises ValueError with the reason."""
    try:
        # Without O_NONBLOCK, a named pipe would keep the engine waiting.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ValueError("it is not a file")
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"it can't be read: {error.strerror}") from None
