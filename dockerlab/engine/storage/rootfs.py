"""A container's own file tree: a copy of its image's, with hard links kept among the copies.

Copies, since root in a container may write into any file: a link into the image would change the image.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from dockerlab.engine.common.paths import inside
from dockerlab.engine.processes import user_namespace

__all__ = ["IGNORED", "copy", "home_of", "own", "prepare", "remove", "sizes", "user_of"]

#: The engine's own files, which are nothing that a container wrote.
IGNORED = {".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"}
MOUNT_POINTS = ("proc", "sys", "dev", "etc")


def prepare(image: Path, target: Path, hostname: str) -> None:
    """Make a container's tree."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    copy(image, target)
    for name in MOUNT_POINTS:
        (target / name).mkdir(exist_ok=True)
    (target / ".dockerenv").touch(mode=0o755)
    (target / "etc/hostname").write_text(f"{hostname}\n")
    (target / "etc/hosts").write_text(f"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n")
    resolver = Path("/etc/resolv.conf")
    (target / "etc/resolv.conf").write_bytes(resolver.read_bytes() if resolver.is_file() else b"")


def copy(source: Path, target: Path) -> None:
    """Copy what is in a directory into another one, with owners, modes, times, and links among the files."""
    _copy(str(source), str(target), {}, user_namespace.many())


def _copy(source: str, target: str, copies: dict[tuple[int, int], str], owned: bool) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            info, path = entry.stat(follow_symlinks=False), f"{target}/{entry.name}"
            if stat.S_ISDIR(info.st_mode):
                os.mkdir(path)  # noqa: PTH102  (thousands of files: os is several times faster than pathlib)
                _copy(entry.path, path, copies, owned)
                continue
            if stat.S_ISLNK(info.st_mode):
                os.symlink(os.readlink(entry.path), path)  # noqa: PTH115, PTH211
            elif (first := copies.get((info.st_dev, info.st_ino))) is not None:
                os.link(first, path)
                continue
            elif stat.S_ISREG(info.st_mode):
                shutil.copy2(entry.path, path)
                if info.st_nlink > 1:
                    copies[info.st_dev, info.st_ino] = path
            else:
                continue
            if owned:
                own(path, info)
    shutil.copystat(source, target)
    if owned:
        own(target, os.lstat(source))


def own(path: str, info: os.stat_result) -> None:
    """Give a copy its original's owner; a change of owner takes bits of the mode away, which are put back."""
    if (info.st_uid, info.st_gid) == (0, 0):
        return  # ours
    os.chown(path, info.st_uid, info.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(path, stat.S_IMODE(info.st_mode))  # noqa: PTH101


def remove(target: Path) -> None:
    """Remove a container's tree, also where its processes took away the permission to."""

    def allow(function: object, path: str, trouble: tuple[type[BaseException], BaseException, object]) -> None:
        if issubclass(trouble[0], FileNotFoundError):
            return  # somebody else was faster
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)

    if target.exists():
        shutil.rmtree(target, onerror=allow)


def sizes(image: Path, target: Path) -> tuple[int, int]:
    """Give what a container wrote, and all that it has, in bytes; a file with several names counts once."""
    known = {name: (info.st_size, info.st_mtime_ns) for name, info in _files(image)}
    written = total = 0
    for name, info in _files(target):
        if name in IGNORED:
            continue
        total += info.st_size
        if known.get(name) != (info.st_size, info.st_mtime_ns):
            written += info.st_size
    return written, total


def _files(root: Path) -> list[tuple[str, os.stat_result]]:
    seen: set[int] = set()
    found = []
    for directory, _, names in os.walk(root):
        for name in names:
            path = f"{directory}/{name}"
            try:
                info = os.lstat(path)
            except OSError:
                continue
            if info.st_ino not in seen:
                seen.add(info.st_ino)
                found.append((os.path.relpath(path, root), info))
    return found


def user_of(target: Path, user: str) -> tuple[tuple[int, int], list[int]]:
    """Read `User`: a name or number, and perhaps a group after a colon; give its ids, and its further groups.

    Raises LookupError in Docker's words.
    """
    name, _, group = user.partition(":")
    name = name or "0"
    users, groups = _table(target, "etc/passwd"), _table(target, "etc/group")
    row = next((row for row in users if name in (row[0], row[2])), None)
    if row is None and not name.isdigit():
        raise LookupError(f"unable to find user {name}: no matching entries in passwd file")
    uid, gid = (int(row[2]), int(row[3])) if row else (int(name), 0)
    more = [int(one[2]) for one in groups if row and row[0] in "".join(one[3:4]).split(",") and int(one[2]) != gid]
    if group:
        line = next((row for row in groups if group in (row[0], row[2])), None)
        if line is None and not group.isdigit():
            raise LookupError(f"unable to find group {group}: no matching entries in group file")
        gid, more = int(line[2]) if line else int(group), []
    return (uid, gid), more


def home_of(target: Path, user: str) -> str:
    """Give a user's home directory; one that the image doesn't know has `/`."""
    name = (user or "0").partition(":")[0]
    row = next((row for row in _table(target, "etc/passwd") if name in (row[0], row[2])), None)
    if row is None:
        return "/root" if name in ("0", "root") else "/"
    return row[5] if len(row) > 5 and row[5] else "/"  # noqa: PLR2004


def _table(target: Path, name: str) -> list[list[str]]:
    """Read a table of the image's, whose links are followed within its tree."""
    path = Path(inside(str(target), name))
    if not path.is_file():
        return []
    rows = [line.split(":") for line in path.read_text(errors="replace").splitlines()]
    return [row for row in rows if len(row) >= 3 and row[2].isdigit()]  # noqa: PLR2004
