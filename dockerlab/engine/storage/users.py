"""Looks up users and groups in a container's own /etc/passwd and /etc/group."""

from __future__ import annotations

from pathlib import Path

from dockerlab.engine.common.paths import resolve_in_root

__all__ = ["home_directory", "user_ids"]


def user_ids(root: Path, user: str) -> tuple[tuple[int, int], list[int]]:
    """Resolve `User`: a name or number, and perhaps a group after a colon. Return uid and gid, and further groups.

    Raises LookupError in Docker's words.
    """
    name, _, group = user.partition(":")
    name = name or "0"
    users, groups = _rows(root, "etc/passwd"), _rows(root, "etc/group")
    row = next((row for row in users if name in (row[0], row[2])), None)
    if row is None and not name.isdigit():
        raise LookupError(f"unable to find user {name}: no matching entries in passwd file")
    uid, gid = (int(row[2]), int(row[3])) if row else (int(name), 0)
    further = [int(each[2]) for each in groups if row and row[0] in "".join(each[3:4]).split(",")]
    further = [number for number in further if number != gid]
    if group:
        row = next((row for row in groups if group in (row[0], row[2])), None)
        if row is None and not group.isdigit():
            raise LookupError(f"unable to find group {group}: no matching entries in group file")
        gid, further = int(row[2]) if row else int(group), []
    return (uid, gid), further


def home_directory(root: Path, user: str) -> str:
    """Return a user's home directory: `/` for a user who is not in /etc/passwd."""
    name = (user or "0").partition(":")[0]
    row = next((row for row in _rows(root, "etc/passwd") if name in (row[0], row[2])), None)
    if row is None:
        return "/root" if name in ("0", "root") else "/"
    return row[5] if len(row) > 5 and row[5] else "/"  # noqa: PLR2004


def _rows(root: Path, name: str) -> list[list[str]]:
    """Read a table of the container's. Symbolic links are followed inside its tree; malformed rows are left out."""
    path = Path(resolve_in_root(str(root), name))
    if not path.is_file():
        return []
    rows = [line.split(":") for line in path.read_text(errors="replace").splitlines()]
    return [row for row in rows if len(row) >= 3 and row[2].isdigit()]  # noqa: PLR2004
