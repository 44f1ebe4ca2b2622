"""Finds a path within a container's tree: symbolic links are followed as the container sees them, and never out of it.

Small and plain: shims import it too.
"""

from __future__ import annotations

import os

MOST_LINKS = 255


def inside(root: str, path: str, follow: bool = True, mounts: dict[str, str] | None = None) -> str:
    """Give the place of a container's absolute path, as this machine names it; it need not be there.

    Without `follow` a link at the very end is the answer itself. `mounts` says which paths of the container are
    somewhere else on this machine. Raises OSError for a circle of links.
    """
    todo = [part for part in path.split("/") if part not in ("", ".")]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            del done[-1:]
            continue
        place = _place(root, [*done, part], mounts or {})
        if os.path.islink(place) and (todo or follow):  # noqa: PTH114
            links += 1
            if links > MOST_LINKS:
                raise OSError(40, f"too many levels of symbolic links: {path}")
            target = os.readlink(place)  # noqa: PTH115
            if target.startswith("/"):
                done.clear()
            todo = [word for word in target.split("/") if word not in ("", ".")] + todo
        else:
            done.append(part)
    return _place(root, done, mounts or {})


def _place(root: str, parts: list[str], mounts: dict[str, str]) -> str:
    """Give the place of a path without links: below the innermost mount that it is in, or else below the root."""
    for count in range(len(parts), 0, -1) if mounts else ():
        source = mounts.get("/" + "/".join(parts[:count]))
        if source is not None:
            return "/".join((source, *parts[count:]))
    return "/".join((root, *parts))
