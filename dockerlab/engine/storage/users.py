"""Looks up users and groups in a container's own /etc/passwd and /etc/group."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from dockerlab.engine.common.tree import OpenTree

__all__ = ["group_ids", "home_directory", "user_ids"]

#: The part of a table that is read.
MAX_BYTES = 4 << 20
MAX_ID = 2**31 - 1
NUMBER = re.compile("[0-9]{1,10}", re.ASCII)
#: The columns with numbers: user and group in /etc/passwd, group in /etc/group.
USER_NUMBERS, GROUP_NUMBERS = (2, 3), (2,)


def user_ids(root: Path, user: str) -> tuple[tuple[int, int], list[int]]:
    """Resolve `User`: a name or number, and perhaps a group after a colon. Return uid and gid, and further groups.

    Raises LookupError in Docker's words.
    """
    name, _, group = user.partition(":")
    name = name or "0"
    users, groups = _rows(root, "etc/passwd", USER_NUMBERS), _rows(root, "etc/group", GROUP_NUMBERS)
    row = _find(users, name)
    if row is None and not _is_number(name):
        raise LookupError(f"unable to find user {name}: no matching entries in passwd file")
    uid, gid = (int(row[2]), int(row[3])) if row else (int(name), 0)
    further = [int(each[2]) for each in groups if row and row[0] in "".join(each[3:4]).split(",")]
    further = [number for number in further if number != gid]
    if group:
        row = _find(groups, group)
        if row is None and not _is_number(group):
            raise LookupError(f"unable to find group {group}: no matching entries in group file")
        gid, further = int(row[2]) if row else int(group), []
    return (uid, gid), further


def group_ids(root: Path, names: Collection[str]) -> list[int]:
    """Resolve the names and numbers of groups. Raises LookupError."""
    rows = _rows(root, "etc/group", GROUP_NUMBERS)
    numbers = {row[0]: int(row[2]) for row in reversed(rows)}  # of two rows with one name, the first one counts
    for name in names:
        if not _is_number(name) and name not in numbers:
            raise LookupError(f"unable to find group {name}: no matching entries in group file")
    return [int(name) if _is_number(name) else numbers[name] for name in names]


def home_directory(root: Path, user: str) -> str:
    """Return a user's home directory: `/` for a user who is not in /etc/passwd."""
    name = (user or "0").partition(":")[0]
    row = _find(_rows(root, "etc/passwd", USER_NUMBERS), name)
    if row is None:
        return "/root" if name in ("0", "root") else "/"
    return row[5] if len(row) > 5 and row[5] else "/"  # noqa: PLR2004


def _find(rows: list[list[str]], name: str) -> list[str] | None:
    """Return the row of a user or group. A number is never a name: a user of that name could be somebody else."""
    if NUMBER.fullmatch(name):
        return next((row for row in rows if int(row[2]) == int(name)), None)
    return next((row for row in rows if row[0] == name), None)


def _rows(root: Path, name: str, numbers: tuple[int, ...]) -> list[list[str]]:
    """Read a table of the container's, whose links are followed inside its tree.

    Rows without a valid number in the columns `numbers` are left out.
    """
    try:
        with OpenTree(root) as tree:
            data = tree.read(name, MAX_BYTES)
    except OSError:
        return []  # there is no such file
    rows = [line.split(":") for line in data.decode("utf-8", "replace").split("\n")]
    return [row for row in rows if all(len(row) > column and _is_id(row[column]) for column in numbers)]


def _is_number(text: str) -> bool:
    """Tell whether a text is a number. Raises LookupError if that is too large for a user or group."""
    if NUMBER.fullmatch(text) is None:
        return False
    if not _is_id(text):
        raise LookupError(f"uids and gids must be in range 0-{MAX_ID}")
    return True


def _is_id(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None and int(text) <= MAX_ID
