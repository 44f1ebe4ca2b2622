"""Finds a static busybox: the base image is made from it, and the rung of proot has its shell from it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dockerlab.engine.common import elf

__all__ = ["find"]

PLACES = ("/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox", "/bin/busybox.static", "/sbin/busybox")


def find() -> str:
    """Give its path, or an empty text. DOCKERLAB_BUSYBOX names another, or `none`."""
    named = os.environ.get("DOCKERLAB_BUSYBOX", "")
    if named:
        return "" if named == "none" else named
    for place in (shutil.which("busybox"), *PLACES):
        needs = elf.needs(Path(place)) if place and Path(place).is_file() else None
        if place and needs is not None and not needs.loader:
            return place
    return ""
