"""A response that is a tar: written to a file, completely or not at all, or read as a table of its members."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dockerlab.errors import ArgumentError, StreamBroken
from dockerlab.protocol.streams import tar_members
from dockerlab.tables.build import array_table
from dockerlab.tables.container import SAVED, member_table

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.protocol.caller import Response

__all__ = ["save_or_list", "save_tar"]

CHUNK = 1 << 18
#: A tar consists of blocks, and ends with two blocks of zeros.
BLOCK, END = 512, bytes(1024)


def save_or_list(
    response: Response, to: str | os.PathLike[str] | None, progress: bool | Callable[[int], Any] | None, title: str
) -> pd.DataFrame:
    """Write the tar to the file `to`, or without one return the table of its members."""
    if to is not None:
        return save_tar(response, to, _byte_callback(progress, title))
    with response:
        return member_table(tar_members(response.chunks(CHUNK)))


def save_tar(response: Response, to: str | os.PathLike[str], progress: Callable[[int], Any] | None) -> pd.DataFrame:
    """Write the tar to a temporary file next to `to`, and rename that when the tar is complete.

    Returns one row: `path` (string) and `size_bytes` (Int64). A stream that breaks leaves no file behind.
    """
    target = Path(to).expanduser()
    with response:
        if target.is_dir() or not target.parent.is_dir():
            raise ArgumentError(f"{target} can't be written: give the name of a file in a directory that exists.")
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with partial.open("xb") as file:
                size = _write(response, file, progress)
            partial.replace(target)
        except PermissionError:
            raise ArgumentError(
                f"{target} can't be written: you have no write permission in that directory. Choose another one."
            ) from None
        finally:
            partial.unlink(missing_ok=True)
    getattr(progress, "finish", lambda: None)()
    return array_table(SAVED, [{"path": str(target), "size_bytes": size}])


def _write(response: Response, file: BinaryIO, progress: Callable[[int], Any] | None) -> int:
    size, last = 0, b""
    for chunk in response.chunks(CHUNK):
        file.write(chunk)
        size += len(chunk)
        last = (last + chunk)[-len(END) :]
        if progress:
            progress(size)
    if last != END or size % BLOCK:  # an engine that fails half-way may end its response as if it were complete
        raise StreamBroken("The tar ended too early: its end is missing. No file was written. Send the request again.")
    return size


def _byte_callback(progress: bool | Callable[[int], Any] | None, title: str) -> Callable[[int], Any] | None:
    """Return the function to call with the bytes so far: for True, a progress bar that is displayed here."""
    if progress is not True:
        return progress or None
    from IPython.display import display

    from dockerlab.widgets import Progress

    bar = Progress(title)
    display(bar)  # type: ignore[no-untyped-call]
    return bar
