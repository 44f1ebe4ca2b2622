"""What the clients' tasks need on an engine and in files. Everything is labelled, and removed at the end."""

from __future__ import annotations

import io
import json
import re
import socket
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tasks import SECONDS, Subject

__all__ = ["EVENTS", "EXPORTED", "LINES", "LISTED", "PUT", "RUNNING", "stock"]

LISTED, RUNNING, EVENTS = 300, 20, 5000
LABELS = {"dockerlab.session": "bench-clients"}
#: The label of the containers that the clients list.
LISTED_LABEL = "dockerlab.bench-clients=listed"
LINE = "a line of a log that is as long as lines of logs often are, with a number at its end: 1234567890123"
LOG, EXPORTED, PUT = 100_000_000, 300_000_000, 100_000_000
LINES = LOG // (len(LINE) + 1)


@contextmanager
def stock(host: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Make the containers and files, and give the facts that the clients receive."""
    engine = Subject("engine", host)
    try:
        _clear(engine)  # objects of an earlier run that was killed
        yield {**_containers(engine), **_files(host, engine, folder)}
    finally:
        _clear(Subject("engine", host))  # a new connection, because the other one may be in use


def _clear(engine: Subject) -> None:
    filters = quote(json.dumps({"label": [f"{name}={value}" for name, value in LABELS.items()]}))
    for container in engine.ask("GET", f"/containers/json?all=1&filters={filters}"):
        engine.remove(container["Id"])


def _containers(engine: Subject) -> dict[str, Any]:
    label, value = LISTED_LABEL.split("=")
    names = [engine.create("true", Labels={**LABELS, label: value}) for _ in range(LISTED)]
    running = [engine.create("sleep", "86400", Labels=LABELS) for _ in range(RUNNING)]
    for name in running:
        engine.ask("POST", f"/containers/{name}/start")
    facts = {"names": names, "running": running, "label": LISTED_LABEL, "labels": LABELS}
    facts["filter"] = quote(json.dumps({"label": [LISTED_LABEL]}))
    return facts


def _files(host: str, engine: Subject, folder: Path) -> dict[str, Any]:
    log = engine.run_to_end("sh", "-c", f"yes '{LINE}' | head -n {LINES}", Labels=LABELS)
    fill = ["dd", "if=/dev/zero", "of=/big", "bs=1000000", f"count={EXPORTED // 1_000_000}"]
    filler = engine.run_to_end(*fill, Labels=LABELS)
    taker = engine.create("true", Labels=LABELS)
    with tarfile.open(folder / "put.tar", "w") as tar:
        info = tarfile.TarInfo("put")
        info.size = PUT
        tar.addfile(info, io.BytesIO(bytes(PUT)))
    paths = {"ping": "/_ping", "version": "/version", "json": f"/containers/{log}/json"}
    paths["logs"] = f"/containers/{log}/logs?stdout=1&stderr=1"
    paths["stamped"] = f"{paths['logs']}&timestamps=1"
    paths["events"] = f"/events?since=1&until={time.time():.9f}"
    for name, path in paths.items():
        _record(host, path, folder / name)
    _repeat(folder / "events", EVENTS)
    return {
        "talker": log,
        "filler": filler,
        "taker": taker,
        "tar": str(folder / "put.tar"),
        "target": str(folder / "target.tar"),
    }


def _record(host: str, path: str, file: Path) -> None:
    """Write a response to a file, byte by byte, with its head and its chunks."""
    with socket.socket(socket.AF_UNIX) as client, file.open("wb") as output:
        client.settimeout(SECONDS)
        client.connect(host.removeprefix("unix://"))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: engine\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        output.write(head + b"\r\n\r\n" + body)
        length, received = re.search(rb"(?i)content-length: (\d+)", head), len(body)
        last = body[-7:]
        while received < int(length[1]) if length else last != b"\r\n0\r\n\r\n":
            data = client.recv(1 << 20)
            output.write(data)
            received, last = received + len(data), (last + data)[-7:]


def _repeat(file: Path, count: int) -> None:
    """Repeat the events of a recorded response until there are enough."""
    head, _, body = file.read_bytes().partition(b"\r\n\r\n")
    chunks = re.findall(rb"[0-9a-f]+\r\n\{.*?\}\n\r\n", body)
    if not chunks:
        raise SystemExit("the engine does not send each event as one chunk")
    events = b"".join(chunks[number % len(chunks)] for number in range(count))
    file.write_bytes(head + b"\r\n\r\n" + events + b"0\r\n\r\n")
