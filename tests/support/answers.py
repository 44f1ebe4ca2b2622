"""Keeps what an engine answers to contract tests, as recordings for the tests of tables: nothing in them is invented.

With `DOCKERLAB_RECORD=DIR` in the environment the judge hands every good answer of an operation whose table has columns
to `keep`, which writes answers of different shapes to `DIR/<operationId>.jsonl`: an answer a line, secrets and the
places of this machine taken out.
"""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any

from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.redaction import without_secrets

__all__ = ["RECORDED", "RECORDINGS", "keep", "recorded"]

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
#: Operations whose tables have columns of their own.
RECORDED = {
    *("ContainerList", "ContainerTop", "ContainerChanges", "ImageList", "ImageHistory", "ImageSearch", "ImageDelete"),
    *("ImageBuild", "ImageCreate", "ImageLoad", "ImagePush", "VolumeList", "NetworkList", "SystemDataUsage"),
    *("PluginList", "NodeList", "ServiceList", "TaskList", "SecretList", "ConfigList"),
}
SHAPES, ITEMS, LONGEST = 4, 6, 24_000
#: Where the engines of these tests keep their things, and where they would otherwise.
PLACES = re.compile(r"/tmp/[\w.-]+(/[\w.-]+)??/(data|state|storage|root)\b")


def keep(operation: str, answer: Any) -> None:
    """Write an answer, if there is none of its shape yet."""
    target = os.environ.get("DOCKERLAB_RECORD")
    if not target or operation not in RECORDED:
        return
    answer = answer[:ITEMS] if isinstance(answer, list) else answer
    body = without_secrets(OPERATIONS[operation], json.dumps(answer).encode()).decode()
    body = PLACES.sub("/var/lib/engine", body).replace(socket.gethostname(), "lab")
    file = Path(target) / f"{operation}.jsonl"
    known = file.read_text("utf-8").splitlines() if file.exists() else []
    shapes = {shape(json.loads(line)) for line in known}
    if len(known) < SHAPES and len(body) < LONGEST and shape(json.loads(body)) not in shapes:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in [*known, body]), "utf-8")


def shape(value: Any) -> str:
    """Describe which fields there are, and of which types."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{shape(item)}" for name, item in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({shape(item) for item in value})) + "]"
    return type(value).__name__


def recorded(operation: str) -> dict[str, list[Any]]:
    """Give what each engine was heard to answer, by the engine's name."""
    found = {}
    for file in sorted(RECORDINGS.glob(f"*/{operation}.jsonl")):
        found[file.parent.name] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return found
