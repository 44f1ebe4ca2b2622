"""Nodes of devices in a container: the container's own, so that a change of their mode or owner stays inside."""

from __future__ import annotations

import os
import stat
from typing import Any

from dockerlab.engine.common.tree import PATH_ONLY, OpenTree

#: The devices that every container has, with their numbers.
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


def make_node(path: str, mode: int, number: int, parent: int | None = None) -> bool:
    """Make a node. Return False if that is not allowed, as in a user namespace."""
    mask = os.umask(0)
    try:
        os.mknod(path, mode, number, dir_fd=parent)
    except PermissionError:
        return False
    finally:
        os.umask(mask)
    return True


def make_requested_node(tree: OpenTree, device: dict[str, Any]) -> bool:
    """Make the node of a requested device; a file that exists stays, as in runc. Return False if it is not allowed."""
    target, number = device["target"], os.makedev(device["major"], device["minor"])
    if tree.exists(target):
        return True
    os.close(tree.make_directories(os.path.dirname(target)))  # noqa: PTH120
    parent, name = tree.open_parent(target)
    try:
        kind = stat.S_IFCHR if device["kind"] == "c" else stat.S_IFBLK
        if not make_node(name, kind | device["mode"], number, parent):
            return False
        place = os.open(name, PATH_ONLY, dir_fd=parent)
        try:
            if os.fstat(place).st_rdev == number:  # otherwise somebody has already exchanged it
                os.chown(f"/proc/self/fd/{place}", *device["owner"])
        finally:
            os.close(place)
    finally:
        os.close(parent)
    return True
