"""Resolves paths inside a container's tree: symbolic links are followed as the container sees them, never out of it.

The shim imports this module, so it does without pathlib.
"""

from __future__ import annotations

import os

MOST_LINKS = 255


def resolve_in_root(root: str, path: str, follow: bool = True, mounts: dict[str, str] | None = None) -> str:
    """Return where a container's absolute path is on this machine; nothing need exist there.

    Without `follow`, a link at the end of the path is not followed. `mounts` says which directories of the container
    are somewhere else on this machine. Raises OSError if links form a circle.
    """
    pending = [part for part in path.split("/") if part not in ("", ".")]
    resolved: list[str] = []
    links = 0
    while pending:
        part = pending.pop(0)
        if part == "..":
            del resolved[-1:]
            continue
        host_path = _host_path(root, [*resolved, part], mounts or {})
        if os.path.islink(host_path) and (pending or follow):  # noqa: PTH114
            links += 1
            if links > MOST_LINKS:
                raise OSError(40, f"too many levels of symbolic links: {path}")
            target = os.readlink(host_path)  # noqa: PTH115
            if target.startswith("/"):
                resolved.clear()
            pending = [word for word in target.split("/") if word not in ("", ".")] + pending
        else:
            resolved.append(part)
    return _host_path(root, resolved, mounts or {})


def _host_path(root: str, parts: list[str], mounts: dict[str, str]) -> str:
    """Return where a path without links is: below the innermost mount that contains it, or below the root."""
    for count in range(len(parts), 0, -1) if mounts else ():
        source = mounts.get("/" + "/".join(parts[:count]))
        if source is not None:
            return "/".join((source, *parts[count:]))
    return "/".join((root, *parts))
