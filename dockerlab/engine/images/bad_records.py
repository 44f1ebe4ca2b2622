"""Finds the records in a state directory that the engine can't read, and therefore skips: for `dockerlab doctor`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dockerlab.engine.common import container_record
from dockerlab.engine.images import documents, migration
from dockerlab.engine.networks import networks
from dockerlab.engine.storage import volumes

__all__ = ["find"]

#: The folder of each kind of object, the names of its records or directories, and what reads one.
READERS: tuple[tuple[str, str, Callable[[Path], object]], ...] = (
    ("images", "*.json", lambda path: migration.is_old(path) or documents.read_record(path)),
    ("containers", "*", container_record.read),
    ("networks", "*.json", networks.read),
    ("volumes", "*", volumes.read),
)


def find(state: Path) -> list[dict[str, str]]:
    """Return the path of each bad record, with the reason why it can't be read."""
    bad_records = []
    for folder, pattern, read in READERS:
        for path in sorted((state / folder).glob(pattern)):
            try:
                if pattern != "*" or (path.is_dir() and not path.is_symlink()):
                    read(path)
            except ValueError as error:
                bad_records.append({"path": str(path), "reason": str(error)})
    return bad_records
