"""How `lab.container.export` writes a tar into a file: all of it, or nothing under that name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.errors import ArgumentError
from dockerlab.tables.build import frame

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.transport import Answer

__all__ = ["progress_bar", "save"]

BLOCK = 512


def save(answer: Answer, to: str | os.PathLike[str], progress: Callable[[int], Any] | None) -> pd.DataFrame:
    """Write the answer's body to a file beside `to`, and rename it when it is whole.

    Returns one row: `path` (string) and `size_bytes` (Int64). Nothing is left behind if the stream breaks.
    """
    target = Path(to).expanduser()
    if target.is_dir() or not target.parent.is_dir():
        answer.close()
        raise ArgumentError(f"{target} can't be written: give the name of a file in a directory that exists.")
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    size = 0
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  (a descriptor, not a path)
            for chunk in answer.chunks(1 << 18):
                file.write(chunk)
                size += len(chunk)
                if progress:
                    progress(size)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        answer.close()
    return frame({"path": ([str(target)], "text"), "size_bytes": ([size], "Int64")}, 1)


def progress_bar(progress: bool | Callable[[int], Any] | None, title: str) -> Callable[[int], Any] | None:
    """Give what to call with the bytes so far: `True` shows the bar of dockerlab.widgets in a notebook."""
    if progress is not True:
        return progress or None
    import importlib  # noqa: PLC0415  (widgets are a room above this one, and used on request only)

    bar = importlib.import_module("dockerlab.widgets").Progress(title)
    importlib.import_module("IPython.display").display(bar)
    return bar  # type: ignore[no-any-return]
