"""Prepares the containers and files that the clients' tasks need. All containers carry one label, and are removed."""

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

from engine_client import SECONDS, EngineClient

__all__ = ["CONTAINERS", "EVENTS", "EXPORT_BYTES", "LOG_LINES", "PUT_BYTES", "RUNNING", "prepare"]

CONTAINERS, RUNNING, EVENTS = 300, 20, 5000
LABELS = {"dockerlab.session": "bench-clients"}
#: An additional label of the containers that the tasks list and inspect.
LIST_LABEL = "dockerlab.bench-clients=listed"
LINE = "a line of a log that is as long as lines of logs often are, with a number at its end: 1234567890123"
LOG_BYTES, EXPORT_BYTES, PUT_BYTES = 100_000_000, 300_000_000, 100_000_000
LOG_LINES = LOG_BYTES // (len(LINE) + 1)


@contextmanager
def prepare(host: str, directory: Path) -> Iterator[dict[str, Any]]:
    """Create the containers and files. Give the facts that each client needs; the containers are removed afterwards."""
    engine = EngineClient("engine", host)
    try:
        engine.remove_labelled(LABELS)  # in case an earlier run was killed
        yield {**_create_containers(engine), **_create_files(host, engine, directory)}
    finally:
        # A new connection, because the first one may be in the middle of a response.
        EngineClient("engine", host).remove_labelled(LABELS)


def _create_containers(engine: EngineClient) -> dict[str, Any]:
    label, value = LIST_LABEL.split("=")
    names = [engine.create("true", Labels={**LABELS, label: value}) for _ in range(CONTAINERS)]
    running = [engine.create("sleep", "86400", Labels=LABELS) for _ in range(RUNNING)]
    for name in running:
        engine.request("POST", f"/containers/{name}/start")
    facts = {"names": names, "running": running, "label": LIST_LABEL, "labels": LABELS}
    facts["filter"] = quote(json.dumps({"label": [LIST_LABEL]}))
    return facts


def _create_files(host: str, engine: EngineClient, directory: Path) -> dict[str, Any]:
    log_container = engine.run("sh", "-c", f"yes '{LINE}' | head -n {LOG_LINES}", Labels=LABELS)
    dd = ["dd", "if=/dev/zero", "of=/big", "bs=1000000", f"count={EXPORT_BYTES // 1_000_000}"]
    export_container = engine.run(*dd, Labels=LABELS)
    put_container = engine.create("true", Labels=LABELS)
    with tarfile.open(directory / "put.tar", "w") as tar:
        info = tarfile.TarInfo("put")
        info.size = PUT_BYTES
        tar.addfile(info, io.BytesIO(bytes(PUT_BYTES)))
    logs = f"/containers/{log_container}/logs?stdout=1&stderr=1"
    recordings = {
        "ping": "/_ping",
        "version": "/version",
        "json": f"/containers/{log_container}/json",
        "logs": logs,
        "logs_with_timestamps": f"{logs}&timestamps=1",
        "events": f"/events?since=1&until={time.time():.9f}",
    }
    for name, path in recordings.items():
        _record(host, path, directory / name)
    _repeat_events(directory / "events", EVENTS)
    return {
        "log_container": log_container,
        "export_container": export_container,
        "put_container": put_container,
        "put_file": str(directory / "put.tar"),
        "export_file": str(directory / "export.tar"),
    }


def _record(host: str, path: str, file: Path) -> None:
    """Write a response to a file as it comes over the wire, with its head and its chunks."""
    with socket.socket(socket.AF_UNIX) as client, file.open("wb") as recording:
        client.settimeout(SECONDS)
        client.connect(host.removeprefix("unix://"))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: engine\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        recording.write(head + b"\r\n\r\n" + body)
        length, size = re.search(rb"(?i)content-length: (\d+)", head), len(body)
        end = body[-7:]
        while size < int(length[1]) if length else end != b"\r\n0\r\n\r\n":
            data = client.recv(1 << 20)
            recording.write(data)
            size, end = size + len(data), (end + data)[-7:]


def _repeat_events(file: Path, count: int) -> None:
    """Repeat the events of a recorded response until there are `count` of them."""
    head, _, body = file.read_bytes().partition(b"\r\n\r\n")
    chunks = re.findall(rb"[0-9a-f]+\r\n\{.*?\}\n\r\n", body)
    if not chunks:
        raise SystemExit("the engine doesn't send each event as one chunk, so no events can be repeated")
    events = b"".join(chunks[number % len(chunks)] for number in range(count))
    file.write_bytes(head + b"\r\n\r\n" + events + b"0\r\n\r\n")
