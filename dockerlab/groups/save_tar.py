"""How a tar is written into a file, all of it or nothing under that name, or read as a table of what is in it."""

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

    from dockerlab.transport.transport import Response

__all__ = ["progress_bar", "save", "tar_answer"]

CHUNK = 1 << 18
#: A tar is written in blocks, and ends with two of zeros.
BLOCK, END = 512, bytes(1024)


def tar_answer(
    answer: Response, to: str | os.PathLike[str] | None, progress: bool | Callable[[int], Any] | None, title: str
) -> pd.DataFrame:
    """Write an answer that is a tar into a file, or without one make a table of what is in it."""
    if to is not None:
        return save(answer, to, progress_bar(progress, title))
    with answer:
        return member_table(tar_members(answer.chunks(CHUNK)))


def save(answer: Response, to: str | os.PathLike[str], progress: Callable[[int], Any] | None) -> pd.DataFrame:
    """Write the answer's body to a file beside `to`, and rename it when it is whole.

    Returns one row: `path` (string) and `size_bytes` (Int64). Nothing is left behind if the stream breaks.
    """
    target = Path(to).expanduser()
    with answer:
        if target.is_dir() or not target.parent.is_dir():
            raise ArgumentError(f"{target} can't be written: give the name of a file in a directory that exists.")
        begun = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with begun.open("xb") as file:
                size = _write(answer, file, progress)
            begun.replace(target)
        except PermissionError:
            raise ArgumentError(f"{target} can't be written: you may not write in that directory.") from None
        finally:
            begun.unlink(missing_ok=True)
    getattr(progress, "finish", lambda: None)()
    return array_table(SAVED, [{"path": str(target), "size_bytes": size}])


def _write(answer: Response, file: BinaryIO, progress: Callable[[int], Any] | None) -> int:
    size, last = 0, b""
    for chunk in answer.chunks(CHUNK):
        file.write(chunk)
        size += len(chunk)
        last = (last + chunk)[-len(END) :]
        if progress:
            progress(size)
    if last != END or size % BLOCK:  # an engine that fails half-way may end its answer as if it were whole
        raise StreamBroken("The tar ended too early: its end is missing. Nothing was written. Ask again.")
    return size


def progress_bar(progress: bool | Callable[[int], Any] | None, title: str) -> Callable[[int], Any] | None:
    """Give what to call with the bytes so far: `True` shows the bar of dockerlab.widgets in a notebook."""
    if progress is not True:
        return progress or None
    import importlib

    bar = importlib.import_module("dockerlab.widgets").Progress(title)
    importlib.import_module("IPython.display").display(bar)
    return bar  # type: ignore[no-any-return]
