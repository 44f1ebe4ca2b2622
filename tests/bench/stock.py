"""What the clients' tasks need on an engine and in files. Everything carries our label, and goes at the end."""

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
#: One of the labels is that of those that are listed.
LISTED_LABEL = "dockerlab.bench-clients=listed"
LINE = "a line of a log that is as long as lines of logs often are, with a number at its end: 1234567890123"
LOG, EXPORTED, PUT = 100_000_000, 300_000_000, 100_000_000
LINES = LOG // (len(LINE) + 1)


@contextmanager
def stock(host: str, place: Path) -> Iterator[dict[str, Any]]:
    """Make what is needed; give the facts that the clients are told."""
    engine = Subject("engine", host)
    try:
        _clear(engine)  # what a run left behind that was killed
        yield {**_containers(engine), **_files(host, engine, place)}
    finally:
        _clear(Subject("engine", host))  # the other connection may be in the middle of something


def _clear(engine: Subject) -> None:
    chosen = quote(json.dumps({"label": [f"{name}={value}" for name, value in LABELS.items()]}))
    for found in engine.ask("GET", f"/containers/json?all=1&filters={chosen}"):
        engine.remove(found["Id"])


def _containers(engine: Subject) -> dict[str, Any]:
    label, value = LISTED_LABEL.split("=")
    names = [engine.create("true", Labels={**LABELS, label: value}) for _ in range(LISTED)]
    running = [engine.create("sleep", "86400", Labels=LABELS) for _ in range(RUNNING)]
    for name in running:
        engine.ask("POST", f"/containers/{name}/start")
    facts = {"names": names, "running": running, "label": LISTED_LABEL, "labels": LABELS}
    facts["filter"] = quote(json.dumps({"label": [LISTED_LABEL]}))
    return facts


def _files(host: str, engine: Subject, place: Path) -> dict[str, Any]:
    log = engine.finished("sh", "-c", f"yes '{LINE}' | head -n {LINES}", Labels=LABELS)
    fill = ["dd", "if=/dev/zero", "of=/big", "bs=1000000", f"count={EXPORTED // 1_000_000}"]
    filler = engine.finished(*fill, Labels=LABELS)
    taker = engine.create("true", Labels=LABELS)
    with tarfile.open(place / "put.tar", "w") as tar:
        info = tarfile.TarInfo("put")
        info.size = PUT
        tar.addfile(info, io.BytesIO(bytes(PUT)))
    asked = {"ping": "/_ping", "version": "/version", "json": f"/containers/{log}/json"}
    asked["logs"] = f"/containers/{log}/logs?stdout=1&stderr=1"
    asked["stamped"] = f"{asked['logs']}&timestamps=1"
    asked["events"] = f"/events?since=1&until={time.time():.9f}"
    for name, path in asked.items():
        _record(host, path, place / name)
    _repeat(place / "events", EVENTS)
    return {
        "talker": log,
        "filler": filler,
        "taker": taker,
        "tar": str(place / "put.tar"),
        "target": str(place / "target.tar"),
    }


def _record(host: str, path: str, file: Path) -> None:
    """Write down an answer as it comes over the wire, with its head and its chunks."""
    with socket.socket(socket.AF_UNIX) as opened, file.open("wb") as kept:
        opened.settimeout(SECONDS)
        opened.connect(host.removeprefix("unix://"))
        opened.sendall(f"GET {path} HTTP/1.1\r\nHost: engine\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += opened.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        kept.write(head + b"\r\n\r\n" + body)
        length, have = re.search(rb"(?i)content-length: (\d+)", head), len(body)
        last = body[-7:]
        while have < int(length[1]) if length else last != b"\r\n0\r\n\r\n":
            data = opened.recv(1 << 20)
            kept.write(data)
            have, last = have + len(data), (last + data)[-7:]


def _repeat(file: Path, wanted: int) -> None:
    """Let a recorded answer say its events again until there are enough."""
    head, _, body = file.read_bytes().partition(b"\r\n\r\n")
    chunks = re.findall(rb"[0-9a-f]+\r\n\{.*?\}\n\r\n", body)
    if not chunks:
        raise SystemExit("the engine tells no events as one chunk each")
    again = b"".join(chunks[number % len(chunks)] for number in range(wanted))
    file.write_bytes(head + b"\r\n\r\n" + again + b"0\r\n\r\n")
