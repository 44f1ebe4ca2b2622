"""The tables of container operations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.protocol.streams import Member
from dockerlab.tables.build import (
    FLOAT,
    INTEGER,
    MAX_INTEGER,
    OBJECT,
    TEXT,
    TIME,
    Column,
    array_table,
    object_or_empty,
    typed_table,
)

__all__ = [
    "CHANGES",
    "LIST",
    "MEMBERS",
    "PATH",
    "SAVED",
    "member_table",
    "path_table",
    "process_table",
]


def _first(names: list[str]) -> str | None:
    """Return the container's own name. Links add further names, which contain a second slash."""
    own = [name for name in names if name.count("/") == 1] or names
    return own[0].removeprefix("/") if own else None


def _ports(ports: list[dict[str, Any]]) -> str:
    """Format published and exposed ports as `docker ps` does: `127.0.0.1:8080->80/tcp, 443/tcp`."""
    texts = []
    for port in ports:
        inner = f"{port.get('PrivatePort')}/{port.get('Type', 'tcp')}"
        address = port.get("IP") or ""
        outer = f"[{address}]" if ":" in address else address
        text = f"{outer}:{port['PublicPort']}->{inner}" if port.get("PublicPort") else inner
        texts.append((int(port.get("PrivatePort") or 0), text))
    return ", ".join(text for _, text in sorted(texts))


def _networks(networks: dict[str, Any]) -> str:
    return ", ".join(sorted(networks))


def _mounts(mounts: list[dict[str, Any]]) -> str:
    return ", ".join(str(mount.get("Name") or mount.get("Source") or "") for mount in mounts)


LIST = (
    Column("name", "Names", TEXT, "its name, without the slash", convert=_first),
    Column("image", "Image", TEXT, "the image, as given in the create request"),
    Column("state", "State", TEXT, "one of created, running, paused, restarting, exited, dead"),
    Column("status", "Status", TEXT, "the state as a phrase for people: Up 2 minutes"),
    Column("command", "Command", TEXT, "the command it runs, as one string"),
    Column("created", "Created", TIME, "when it was created", "UTC"),
    Column("ports", "Ports", TEXT, "published and exposed ports, in the format of docker ps", convert=_ports),
    Column("networks", "NetworkSettings.Networks", TEXT, "the names of its networks", convert=_networks),
    Column("mounts", "Mounts", TEXT, "the names of its volumes and the sources of its bind mounts", convert=_mounts),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("size_rw_bytes", "SizeRw", INTEGER, "the size of the files it wrote; only with size=True", "bytes"),
    Column("size_root_fs_bytes", "SizeRootFs", INTEGER, "the size of all its files; only with size=True", "bytes"),
    Column("network_mode", "HostConfig.NetworkMode", TEXT, "the network it was created with"),
    Column("image_id", "ImageID", TEXT, "the image's id"),
    Column("id", "Id", TEXT, "its id, with all 64 digits"),
)

MEMBERS = (
    Column("path", "path", TEXT, "its path, without the leading slash"),
    Column("kind", "kind", TEXT, "file, directory, symlink, hardlink, character device, block device, fifo"),
    Column("mode", "mode", TEXT, "permissions, octal: 0755"),
    Column("owner", "owner", TEXT, "the owner's name, if the tar has it"),
    Column("group", "group", TEXT, "the group's name, if the tar has it"),
    Column("uid", "uid", INTEGER, "the owner's number"),
    Column("gid", "gid", INTEGER, "the group's number"),
    Column("size_bytes", "size_bytes", INTEGER, "its size; 0 for members without content of their own", "bytes"),
    Column("mtime", "mtime", TIME, "time of the last change", "UTC"),
    Column("target", "target", TEXT, "what a link points to"),
)

#: What the numbers of ContainerChanges mean.
KINDS = {0: "modified", 1: "added", 2: "deleted"}

CHANGES = (
    Column("kind", "Kind", TEXT, "modified, added or deleted", convert=KINDS.get),
    Column("path", "Path", TEXT, "the file or directory"),
)

PATH = (
    Column("name", "name", TEXT, "its name, without its directory"),
    Column("kind", "kind", TEXT, "file, directory, symlink, device, fifo, socket"),
    Column("mode", "mode", TEXT, "permissions, octal: 0755"),
    Column("size_bytes", "size", INTEGER, "its size; for a directory, the size of its own entry", "bytes"),
    Column("mtime", "mtime", TIME, "time of the last change", "UTC"),
    Column("target", "linkTarget", TEXT, "what a link points to", convert=lambda target: target or None),
)
#: How Go encodes the type of a file: in the highest bits of its mode.
GO_KINDS = {1 << 31: "directory", 1 << 27: "symlink", 1 << 26: "device", 1 << 25: "fifo", 1 << 24: "socket"}
GO_SETUID, GO_SETGID, GO_STICKY = 1 << 23, 1 << 22, 1 << 20

SAVED = (
    Column("path", "path", TEXT, "the file that was written"),
    Column("size_bytes", "size_bytes", INTEGER, "its size", "bytes"),
)

#: The columns of ps that hold numbers, by their titles in lower case; the others are text. `uid` is not one of them,
#: because ps prints the user's name instead if it knows one.
INTEGER_TITLES = {"pid", "ppid", "pgid", "sid", "vsz", "rss", "nlwp", "lwp", "pri", "ni", "spid", "tgid", "c"}
PERCENT_TITLES = {"%cpu", "%mem"}
RENAMED = {"%cpu": "cpu_percent", "%mem": "memory_percent", "vsz": "vsz_kib", "rss": "rss_kib"}


def path_table(document: dict[str, Any]) -> pd.DataFrame:
    """Return the table of ContainerArchiveInfo, whose data is a header with the file mode in Go's encoding."""
    document = object_or_empty(document)
    bits = document.get("mode")
    bits = bits if isinstance(bits, int) else 0
    kind = next((name for bit, name in GO_KINDS.items() if bits & bit), "file")
    mode = bits & 0o777
    for bit, plain in ((GO_SETUID, 0o4000), (GO_SETGID, 0o2000), (GO_STICKY, 0o1000)):
        mode |= plain if bits & bit else 0
    return array_table(PATH, [{**document, "kind": kind, "mode": f"{mode:04o}"}])


def process_table(document: dict[str, Any]) -> pd.DataFrame:
    """Return the table of ContainerTop: one column per title of ps, named in lower case."""
    document = object_or_empty(document)
    processes = [process for process in _list(document.get("Processes")) if isinstance(process, list)]
    columns: dict[str, tuple[list[Any], str]] = {}
    for index, original in enumerate(_list(document.get("Titles"))):
        title = str(original).lower()
        values = [process[index] if index < len(process) else None for process in processes]
        name = RENAMED.get(title) or re.sub(r"\W+", "_", title).strip("_") or "column"
        while name in columns:
            name += "_again"
        if title in INTEGER_TITLES:
            columns[name] = ([_number(value, int) for value in values], INTEGER)
        elif title in PERCENT_TITLES:
            columns[name] = ([_number(value, float) for value in values], FLOAT)
        else:
            columns[name] = ([value if isinstance(value, str) else None for value in values], TEXT)
    return typed_table(columns, len(processes))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any, kind: type[int] | type[float]) -> int | float | None:
    """Parse a number of ps, which prints a dash for a missing one."""
    try:
        number = kind(str(value))
    except ValueError:
        return None
    return number if abs(number) <= MAX_INTEGER else None


def member_table(members: Iterable[Member]) -> pd.DataFrame:
    """Return the table of a tar's members."""
    rows = list(members)
    values = zip(*rows, strict=True) if rows else [()] * len(MEMBERS)
    columns = {
        column.name: (list(column_values), column.dtype) for column, column_values in zip(MEMBERS, values, strict=True)
    }
    return typed_table(columns, len(rows))
