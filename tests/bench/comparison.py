"""The comparison: each row's task for each client, the target for dockerlab, and the measurements."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass, field

from rounds import Times
from stock import EVENTS, LINES, LISTED, PUT, RUNNING

__all__ = ["IMPORTED", "IMPORT_SECONDS", "MEMORY", "OURS", "PEERS", "PLAIN", "RAW", "ROWS", "SOCKETS", "Row", "Tried"]

RAW, OURS, PLAIN = "raw", "dockerlab", "without pyarrow"
#: Other clients, and the docker command if it is installed.
PEERS = ("docker-py", "aiodocker", "requests", "docker")
IMPORTED, IMPORT_SECONDS = "import", 0.05
#: The length of a tar of one file, with its header, in whole records.
TAR = -(-(PUT + tarfile.BLOCKSIZE * 3) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
#: Additional megabytes that a task may need.
MEMORY = {"logs": 200.0, "logs_iterated": 30.0, "export": 2.0}
#: Additional sockets that may be open after each task.
SOCKETS = {"sockets_of_urls": 0, "sockets_of_threads": 15, "sockets_after_close": 0}


@dataclass(frozen=True)
class Row:
    """One row: its title, the task of each client, the target ratio of dockerlab to raw, and the expected size."""

    words: str
    tasks: dict[str, str]
    target: float
    size: int | None = None


@dataclass
class Tried:
    """What was measured: seconds by row and client, seconds of processor, memory, sockets."""

    times: Times = field(default_factory=dict)
    cpu: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    grown: dict[str, float] = field(default_factory=dict)
    sockets: dict[str, int] = field(default_factory=dict)


def _row(words: str, target: float, task: str, size: int | None, *others: str, **named: str) -> Row:
    """Make a row; `others` are the peers that have the task, `named` are clients whose task is another."""
    return Row(words, {**dict.fromkeys((RAW, OURS, *others), task), **named}, target, size)


ROWS = [
    _row("200 pings, lab.call", 1.3, "ping", 200, "docker-py", "requests"),
    _row("200 pings, one table per ping", 2.0, "ping", 200, **dict.fromkeys((OURS, PLAIN), "ping_tables")),
    _row(f"list of {LISTED}, a table", 1.15, "list", LISTED, PLAIN, *PEERS),
    _row(f"inspect {LISTED} one by one, lab.call", 1.15, "inspect", LISTED, "docker-py", "aiodocker", "requests"),
    _row(
        f"inspect {LISTED} one by one, one long table per container", 1.6, "inspect", LISTED,
        **dict.fromkeys((OURS, PLAIN), "inspect_tables"),
    ),
    _row(
        f"inspect {LISTED} as one wide table", 0.5, "inspect_wide", LISTED, PLAIN, "docker-py", "aiodocker", "docker",
        raw="inspect",
    ),
    _row(f"stats of {RUNNING} running containers, a table", 1.2, "stats", RUNNING, "docker-py"),
    _row("logs of 100 MB, a table", 0.9, "logs", LINES, "docker-py", "aiodocker", "docker"),
    _row("the same log from a file, a table", 0.35, "logs_again", LINES, PLAIN, "docker-py", "aiodocker"),
    _row("the same with timestamps, a table", 0.6, "stamped_again", LINES, PLAIN),
    _row("the same log from a file, line by line", 1.0, "logs_iterated", LINES),
    _row("export of 300 MB into a file", 1.1, "export", None, "docker-py", "requests", "docker"),
    _row("create, start, wait, delete: 4 requests", 1.05, "life", 4, "docker-py", "aiodocker"),
    _row("exec with its exit code: 3 requests", 1.08, "exec", 3, "docker-py", "aiodocker", "docker"),
    _row("the events that the engine stores (at most 256), a table", 1.3, "events", None, "docker-py", "aiodocker"),
    _row(f"{EVENTS} events from a file, a table", 0.9, "events_again", EVENTS, PLAIN, "docker-py", "aiodocker"),
    _row(f"{EVENTS} events from a file, one by one", 1.1, "events_iterated", EVENTS, raw="events_again"),
    _row("put a tar of 100 MB", 0.9, "put", TAR, "docker-py"),
]  # fmt: skip
