"""The rows of the comparison: each client's task, dockerlab's target, and a container for what was measured."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass, field

from preparation import CONTAINERS, EVENTS, LOG_LINES, PUT_BYTES, RUNNING
from rounds import Times

__all__ = [
    "ADDITIONAL_MEMORY", "ADDITIONAL_SOCKETS", "DOCKERLAB", "IMPORT", "IMPORT_SECONDS", "OTHERS", "RAW", "ROWS",
    "WITHOUT_PYARROW", "Measurements", "Row",
]  # fmt: skip

RAW, DOCKERLAB, WITHOUT_PYARROW = "raw", "dockerlab", "without pyarrow"
#: Other clients, and the docker command, which is left out if it is not installed.
OTHERS = ("docker-py", "aiodocker", "requests", "docker")
IMPORT, IMPORT_SECONDS = "import", 0.05
#: The size of a tar with one file: its header and its end are included, and it is a multiple of the record size.
TAR_BYTES = -(-(PUT_BYTES + tarfile.BLOCKSIZE * 3) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
#: By task, how many megabytes the process may grow by.
ADDITIONAL_MEMORY = {"logs": 200.0, "logs_line_by_line": 30.0, "export": 2.0}
#: By task, how many additional sockets may be open afterwards.
ADDITIONAL_SOCKETS = {"sockets_after_urls": 0, "sockets_after_threads": 15, "sockets_after_close": 0}


@dataclass(frozen=True)
class Row:
    """One row of the comparison. `size` is what each task must return, or None if that varies."""

    title: str
    tasks: dict[str, str]  #: the task of each client that takes part
    target: float  #: for the ratio of dockerlab's seconds to the raw client's
    size: int | None = None


@dataclass
class Measurements:
    """Seconds and processor seconds by row and client; additional memory and sockets by task."""

    times: Times = field(default_factory=dict)
    processor_seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    additional_memory: dict[str, float] = field(default_factory=dict)
    additional_sockets: dict[str, int] = field(default_factory=dict)


def _row(title: str, target: float, task: str, size: int | None, *others: str, **exceptions: str) -> Row:
    """Return a row. `others` also do this task; `exceptions` are clients that do a different one."""
    return Row(title, {**dict.fromkeys((RAW, DOCKERLAB, *others), task), **exceptions}, target, size)


ROWS = [
    _row("200 pings, lab.call", 1.3, "ping", 200, "docker-py", "requests"),
    _row(
        "200 pings, one table per ping", 2.0, "ping", 200,
        **dict.fromkeys((DOCKERLAB, WITHOUT_PYARROW), "ping_tables"),
    ),
    _row(f"list of {CONTAINERS}, a table", 1.15, "list", CONTAINERS, WITHOUT_PYARROW, *OTHERS),
    _row(
        f"inspect {CONTAINERS} one by one, lab.call", 1.15, "inspect", CONTAINERS,
        "docker-py", "aiodocker", "requests",
    ),
    _row(
        f"inspect {CONTAINERS} one by one, one long table per container", 1.6, "inspect", CONTAINERS,
        **dict.fromkeys((DOCKERLAB, WITHOUT_PYARROW), "inspect_tables"),
    ),
    _row(
        f"inspect {CONTAINERS} as one wide table", 0.5, "inspect_wide", CONTAINERS,
        WITHOUT_PYARROW, "docker-py", "aiodocker", "docker", raw="inspect",
    ),
    _row(f"stats of {RUNNING} running containers, a table", 1.2, "stats", RUNNING, "docker-py"),
    _row("logs of 100 MB, a table", 0.9, "logs", LOG_LINES, "docker-py", "aiodocker", "docker"),
    _row(
        "the same log from a file, a table", 0.35, "logs_from_file", LOG_LINES,
        WITHOUT_PYARROW, "docker-py", "aiodocker",
    ),
    _row("the same with timestamps, a table", 0.6, "logs_with_timestamps", LOG_LINES, WITHOUT_PYARROW),
    _row("the same log from a file, line by line", 1.0, "logs_line_by_line", LOG_LINES),
    _row("export of 300 MB into a file", 1.1, "export", None, "docker-py", "requests", "docker"),
    _row("create, start, wait, delete: 4 requests", 1.05, "lifecycle", 4, "docker-py", "aiodocker"),
    _row("exec with its exit code: 3 requests", 1.08, "exec", 3, "docker-py", "aiodocker", "docker"),
    _row("the events that the engine stores (at most 256), a table", 1.3, "events", None, "docker-py", "aiodocker"),
    _row(
        f"{EVENTS} events from a file, a table", 0.9, "events_from_file", EVENTS,
        WITHOUT_PYARROW, "docker-py", "aiodocker",
    ),
    _row(f"{EVENTS} events from a file, one by one", 1.1, "events_one_by_one", EVENTS, raw="events_from_file"),
    _row("put a tar of 100 MB", 0.9, "put", TAR_BYTES, "docker-py"),
]  # fmt: skip
