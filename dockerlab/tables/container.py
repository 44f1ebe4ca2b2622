"""Tables of the container operations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.streams import Line, Member
from dockerlab.tables.build import PLAIN, TEXT, TIME, WHOLE, Column, array_table, frame

__all__ = ["LIST", "LOGS", "MEMBERS", "container_list", "log_table", "member_table", "process_table"]


def _first(names: list[str]) -> str | None:
    """The container's own name: links give it more, which have a second slash."""
    own = [name for name in names if name.count("/") == 1] or names
    return own[0].removeprefix("/") if own else None


def ports_text(ports: list[dict[str, Any]]) -> str:
    """Published and exposed ports as docker ps writes them: `127.0.0.1:8080->80/tcp, 443/tcp`."""
    texts = []
    for port in ports:
        inner = f"{port.get('PrivatePort')}/{port.get('Type', 'tcp')}"
        address = port.get("IP") or ""
        outer = f"[{address}]" if ":" in address else address
        texts.append(f"{outer}:{port['PublicPort']}->{inner}" if port.get("PublicPort") else inner)
    return ", ".join(sorted(texts))


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
    Column("ports", "Ports", TEXT, "published and exposed ports, as docker ps writes them", convert=ports_text),
    Column("networks", "NetworkSettings.Networks", TEXT, "names of its networks", convert=_networks),
    Column("mounts", "Mounts", TEXT, "names of its volumes, sources of its bind mounts", convert=_mounts),
    Column("labels", "Labels", PLAIN, "its labels, a dict"),
    Column("size_rw_bytes", "SizeRw", WHOLE, "what it wrote; only with size=True", "bytes"),
    Column("size_root_fs_bytes", "SizeRootFs", WHOLE, "all its files; only with size=True", "bytes"),
    Column("network_mode", "HostConfig.NetworkMode", TEXT, "the network it was created with"),
    Column("image_id", "ImageID", TEXT, "the image's id"),
    Column("id", "Id", TEXT, "its id, all 64 digits"),
)

LOGS = (
    Column("time", "time", TIME, "when the engine read the line; only with timestamps=True", "UTC"),
    Column("stream", "stream", TEXT, "stdout or stderr"),
    Column("message", "message", TEXT, "the line, without its end; bytes that aren't UTF-8 as \\xff"),
)

MEMBERS = (
    Column("path", "path", TEXT, "where it is, without a slash in front"),
    Column("kind", "kind", TEXT, "file, directory, symlink, hardlink, character device, block device, fifo"),
    Column("mode", "mode", TEXT, "permissions, octal: 0755"),
    Column("owner", "owner", TEXT, "the owner's name, if the tar has it"),
    Column("group", "group", TEXT, "the group's name, if the tar has it"),
    Column("uid", "uid", WHOLE, "the owner's number"),
    Column("gid", "gid", WHOLE, "the group's number"),
    Column("size_bytes", "size_bytes", WHOLE, "its size; 0 for what has no content of its own", "bytes"),
    Column("mtime", "mtime", TIME, "time of the last change", "UTC"),
    Column("target", "target", TEXT, "what a link points to"),
)

#: Columns of ps that are whole numbers.
NUMBERS = {"pid", "ppid", "pgid", "sid", "uid", "gid", "vsz", "rss", "nlwp", "lwp", "pri", "ni", "spid", "tgid"}
RENAMED = {"%cpu": "cpu_percent", "%mem": "memory_percent", "vsz": "vsz_kib", "rss": "rss_kib"}


def container_list(records: list[dict[str, Any]] | None) -> pd.DataFrame:
    """Make the table of ContainerList."""
    return array_table(LIST, records)


def process_table(document: dict[str, Any]) -> pd.DataFrame:
    """Make the table of ContainerTop: a column for each title of ps, in small letters."""
    titles = [str(title) for title in document.get("Titles") or []]
    processes = document.get("Processes") or []
    columns: dict[str, tuple[list[Any], str]] = {}
    for place, title in enumerate(titles):
        plain = title.lower()
        values = [process[place] if place < len(process) else None for process in processes]
        whole = plain in NUMBERS and all(str(value).lstrip("-").isdigit() for value in values)
        name = RENAMED.get(plain) or re.sub(r"\W+", "_", plain).strip("_") or f"column_{place}"
        columns[name] = ([int(str(value)) for value in values] if whole else values, WHOLE if whole else TEXT)
    return frame(columns, len(processes))


def log_table(found: Iterable[Line], *, timestamps: bool, text: bool = True) -> pd.DataFrame:
    """Make the table of ContainerLogs; without `text` the messages are bytes."""
    lines = list(found)
    columns: dict[str, tuple[list[Any], str]] = {}
    if timestamps:
        columns["time"] = ([line.time for line in lines], TIME)
    columns["stream"] = ([line.stream for line in lines], TEXT)
    columns["message"] = ([line.message if text else line.data for line in lines], TEXT if text else PLAIN)
    return frame(columns, len(lines))


def member_table(members: Iterable[Member]) -> pd.DataFrame:
    """Make the table of an export's members."""
    rows = list(members)
    values = zip(*rows, strict=True) if rows else [()] * len(MEMBERS)
    columns = {column.name: (list(one), column.dtype) for column, one in zip(MEMBERS, values, strict=True)}
    return frame(columns, len(rows))
