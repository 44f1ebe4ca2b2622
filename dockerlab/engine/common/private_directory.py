"""Directories that only their owner can use: the engine's state, and the one of its socket.

Whoever can write into such a directory, or exchange it for another one, could have the engine run and remove anything.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

__all__ = ["PrivateDirectoryError", "check_parents", "make_private"]

PRIVATE_MODE = 0o700
GROUP_AND_OTHERS, OTHERS_WRITE = 0o077, 0o002
WRITE = stat.S_IWGRP | stat.S_IWOTH
#: What the kernel shows as the owner of files whose owner doesn't exist in this user namespace.
OVERFLOW_ID, ALL_IDS = 65534, 4294967295


class PrivateDirectoryError(Exception):
    """A directory can't be private. The text is one sentence that says why, and how to mend it."""


def make_private(path: Path, variable: str) -> None:
    """Create a directory for this user alone, or take the rights of everyone else to an existing one.

    `variable` is the one that names another directory. Raises PrivateDirectoryError if the directory is a link, if it
    belongs to another user, or if somebody else can replace it or has put something into it.
    """
    advice = f"choose another directory: export {variable}"
    try:
        for missing in reversed([each for each in (path, *path.parents) if not os.path.lexists(each)]):
            missing.mkdir(PRIVATE_MODE, exist_ok=True)
        check_parents(path, variable)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if os.path.islink(path):  # noqa: PTH114  (Path would raise if the directory above can't be read)
            raise PrivateDirectoryError(f"{path} is a symbolic link; {advice}") from None
        reason = (error.strerror or str(error)).lower()
        raise PrivateDirectoryError(f"{path} can't be used ({reason}); {advice}") from None
    try:
        info = os.fstat(directory)
        if info.st_uid != os.geteuid():
            raise PrivateDirectoryError(f"{path} belongs to another user; {advice}")
        if info.st_mode & WRITE:
            _check_content(path, directory)
        if info.st_mode & GROUP_AND_OTHERS:
            os.fchmod(directory, PRIVATE_MODE)
    except OSError as error:
        raise PrivateDirectoryError(f"{path} can't be made private ({error.strerror}); {advice}") from None
    finally:
        os.close(directory)


def _check_content(path: Path, directory: int) -> None:
    """Raise PrivateDirectoryError if another user has put something into a directory that everybody could write to."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_symlink() or entry.stat(follow_symlinks=False).st_uid != os.geteuid():
                raise PrivateDirectoryError(
                    f"Other users could write into {path}, and {entry.name} in it may be theirs; look at it, remove "
                    f"what isn't yours, then: chmod 700 {path}"
                )


def check_parents(path: Path, variable: str) -> None:
    """Raise PrivateDirectoryError if another user can rename or exchange a directory above a path.

    In a directory with the sticky bit, such as /tmp, everybody can rename only their own files.
    """
    for parent in dict.fromkeys([*path.parents, *Path(os.path.realpath(path)).parents]):
        info = parent.lstat()
        if not _is_trusted(info.st_uid):
            raise PrivateDirectoryError(
                f"{parent} belongs to another user, who could replace {path}; choose another directory: "
                f"export {variable}"
            )
        if stat.S_ISLNK(info.st_mode) or info.st_mode & stat.S_ISVTX or not _others_can_write(info):
            continue
        raise PrivateDirectoryError(
            f"Other users can write to {parent}, so they could replace {path}; forbid that with: chmod go-w {parent}, "
            f"or choose another directory: export {variable}"
        )


def _is_trusted(uid: int) -> bool:
    return uid in (0, os.geteuid()) or (uid == OVERFLOW_ID and not _has_all_ids())


def _has_all_ids() -> bool:
    rows = Path("/proc/self/uid_map").read_text("ascii").splitlines()
    return len(rows) == 1 and int(rows[0].split()[2]) == ALL_IDS


def _others_can_write(info: os.stat_result) -> bool:
    """Return whether anybody but the owner and root can write to a directory. A group may have no other member."""
    if info.st_mode & OTHERS_WRITE:
        return True
    return bool(info.st_mode & stat.S_IWGRP) and info.st_gid != 0 and _has_other_members(info.st_gid)


def _has_other_members(gid: int) -> bool:
    trusted = {0, os.geteuid()}
    users = {user.pw_name: user for user in pwd.getpwall()}
    try:
        names = grp.getgrgid(gid).gr_mem
    except KeyError:
        names = []
    members = {users[name].pw_uid for name in names if name in users}
    members |= {user.pw_uid for user in users.values() if user.pw_gid == gid}
    return bool(members - trusted)
