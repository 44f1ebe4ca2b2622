"""Tables of the container operations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.protocol.streams import Member
from dockerlab.tables.build import FLOAT, INTEGER, OBJECT, TEXT, TIME, Column, array_table, object_or_empty, typed_table

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
    """The container's own name: links give it more, which have a second slash."""
    own = [name for name in names if name.count("/") == 1] or names
    return own[0].removeprefix("/") if own else None


def _ports(ports: list[dict[str, Any]]) -> str:
    """Published and exposed ports as docker ps writes them: `127.0.0.1:8080->80/tcp, 443/tcp`."""
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
    Column("image", "Image", TEXT, "the image as it was asked for"),
    Column("state", "State", TEXT, "machine word: created, running, paused, restarting, exited, dead"),
    Column("status", "Status", TEXT, "human phrase: Up 2 minutes"),
    Column("command", "Command", TEXT, "what it runs, in one text"),
    Column("created", "Created", TIME, "when it was created", "UTC"),
    Column("ports", "Ports", TEXT, "published and exposed ports, as docker ps writes them", convert=_ports),
    Column("networks", "NetworkSettings.Networks", TEXT, "names of its networks", convert=_networks),
    Column("mounts", "Mounts", TEXT, "names of its volumes, sources of its bind mounts", convert=_mounts),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("size_rw_bytes", "SizeRw", INTEGER, "what it wrote; only with size=True", "bytes"),
    Column("size_root_fs_bytes", "SizeRootFs", INTEGER, "all its files; only with size=True", "bytes"),
    Column("network_mode", "HostConfig.NetworkMode", TEXT, "the network it was created with"),
    Column("image_id", "ImageID", TEXT, "the image's id"),
    Column("id", "Id", TEXT, "its id, all 64 digits"),
)

MEMBERS = (
    Column("path", "path", TEXT, "where it is, without a slash in front"),
    Column("kind", "kind", TEXT, "file, directory, symlink, hardlink, character device, block device, fifo"),
    Column("mode", "mode", TEXT, "permissions, octal: 0755"),
    Column("owner", "owner", TEXT, "the owner's name, if the tar has it"),
    Column("group", "group", TEXT, "the group's name, if the tar has it"),
    Column("uid", "uid", INTEGER, "the owner's number"),
    Column("gid", "gid", INTEGER, "the group's number"),
    Column("size_bytes", "size_bytes", INTEGER, "its size; 0 for what has no content of its own", "bytes"),
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
    Column("name", "name", TEXT, "its name, without the directories before it"),
    Column("kind", "kind", TEXT, "file, directory, symlink, device, fifo, socket"),
    Column("mode", "mode", TEXT, "permissions, octal: 0755"),
    Column("size_bytes", "size", INTEGER, "its size; of a directory what its own entry takes", "bytes"),
    Column("mtime", "mtime", TIME, "time of the last change", "UTC"),
    Column("target", "linkTarget", TEXT, "what a link points to", convert=lambda target: target or None),
)
#: How Go writes what a file is: the highest bits of its mode.
GO_KINDS = {1 << 31: "directory", 1 << 27: "symlink", 1 << 26: "device", 1 << 25: "fifo", 1 << 24: "socket"}
GO_SETUID, GO_SETGID, GO_STICKY = 1 << 23, 1 << 22, 1 << 20

LARGEST = (1 << 63) - 1

SAVED = (
    Column("path", "path", TEXT, "the file that was written"),
    Column("size_bytes", "size_bytes", INTEGER, "its size", "bytes"),
)

#: Columns of ps that hold numbers, by their titles in small letters; the others are text. A user id isn't one of them:
#: ps writes a name in its place where it knows one.
WHOLE_TITLES = {"pid", "ppid", "pgid", "sid", "vsz", "rss", "nlwp", "lwp", "pri", "ni", "spid", "tgid", "c"}
SHARE_TITLES = {"%cpu", "%mem"}
RENAMED = {"%cpu": "cpu_percent", "%mem": "memory_percent", "vsz": "vsz_kib", "rss": "rss_kib"}


def path_table(document: dict[str, Any]) -> pd.DataFrame:
    """Make the table of ContainerArchiveInfo, whose answer is in a header; the mode is written as Go has it."""
    document = object_or_empty(document)
    bits = document.get("mode")
    bits = bits if isinstance(bits, int) else 0
    kind = next((name for bit, name in GO_KINDS.items() if bits & bit), "file")
    mode = bits & 0o777
    for bit, plain in ((GO_SETUID, 0o4000), (GO_SETGID, 0o2000), (GO_STICKY, 0o1000)):
        mode |= plain if bits & bit else 0
    return array_table(PATH, [{**document, "kind": kind, "mode": f"{mode:04o}"}])


def process_table(document: dict[str, Any]) -> pd.DataFrame:
    """Make the table of ContainerTop: a column for each title of ps, in small letters."""
    document = object_or_empty(document)
    processes = [one for one in _listed(document.get("Processes")) if isinstance(one, list)]
    columns: dict[str, tuple[list[Any], str]] = {}
    for place, title in enumerate(_listed(document.get("Titles"))):
        plain = str(title).lower()
        values = [process[place] if place < len(process) else None for process in processes]
        name = RENAMED.get(plain) or re.sub(r"\W+", "_", plain).strip("_") or "column"
        while name in columns:
            name += "_again"
        if plain in WHOLE_TITLES:
            columns[name] = ([_number(value, int) for value in values], INTEGER)
        elif plain in SHARE_TITLES:
            columns[name] = ([_number(value, float) for value in values], FLOAT)
        else:
            columns[name] = ([value if isinstance(value, str) else None for value in values], TEXT)
    return typed_table(columns, len(processes))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any, kind: type[int] | type[float]) -> int | float | None:
    """Read a number of ps, which writes a dash for one that it doesn't have."""
    try:
        number = kind(str(value))
    except ValueError:
        return None
    return number if abs(number) <= LARGEST else None


def member_table(members: Iterable[Member]) -> pd.DataFrame:
    """Make the table of an export's members."""
    rows = list(members)
    values = zip(*rows, strict=True) if rows else [()] * len(MEMBERS)
    columns = {column.name: (list(one), column.dtype) for column, one in zip(MEMBERS, values, strict=True)}
    return typed_table(columns, len(rows))
