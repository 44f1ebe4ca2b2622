"""Removes what an engine that was killed, or a full disk, has left in the state directory."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from dockerlab.engine.common.proc import start_ticks
from dockerlab.engine.storage import rootfs

__all__ = ["remove_leftovers", "remove_tracer_directories"]

#: Where things are begun under a temporary name: directory, and the pattern of the name.
TEMPORARY = (
    (".", "build-*"),
    (".", "tmp*"),
    (".", ".*.new"),
    ("images", "tmp*"),
    ("images", ".*.new"),
    ("images/layers", "*.new"),
    ("images/trees", "new.*"),
    ("networks", ".*.new"),
    ("volumes", "*/.*.new"),
    ("containers", "*/.*.new"),
)
#: The name of a JSON file that a process is just writing, see `json_files.write`.
JSON_FILE = re.compile(r"\..+\.(\d+)\.new")
TRACER_DIRECTORY = re.compile(r"proot-(\d+)-\w+")
log = logging.getLogger("dockerlab.engine")


def remove_leftovers(state: Path) -> None:
    """Remove everything unfinished. Only the engine that has locked the directory may do this, before it begins."""
    for path in _leftovers(state):
        try:
            if path.is_dir() and not path.is_symlink():
                rootfs.remove(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("could not remove %s: %s", path, (error.strerror or str(error)).lower())


def remove_tracer_directories(temporary: Path = Path("/tmp")) -> None:  # noqa: S108  (proot's own choice)
    """Remove the empty directories of tracers that were killed together with their shims, see shim/proot.py."""
    for path in temporary.glob("proot-*-*"):
        tracer = TRACER_DIRECTORY.fullmatch(path.name)
        with contextlib.suppress(OSError):
            if tracer and not start_ticks(tracer[1]) and path.lstat().st_uid == os.geteuid():
                path.rmdir()


def _leftovers(state: Path) -> Iterator[Path]:
    for directory, pattern in TEMPORARY:
        for path in (state / directory).glob(pattern):
            writer = JSON_FILE.fullmatch(path.name)
            if writer is None or not start_ticks(writer[1]):  # the shim of a running container may be writing
                yield path
    for path in (state / "images").glob("*.config"):
        if not path.with_suffix(".json").exists():
            yield path
