"""Recorded responses of real engines, as the JSON of tests: nothing in them is invented.

There are two kinds. `tests/recordings/ENGINE/<kind>.json` describe a small shop of images and containers;
`tests/recorders/documents.py` writes them. `tests/recordings/ENGINE/<operationId>.jsonl` are responses that contract
tests received. With `DOCKERLAB_RECORD=DIR` in the environment, the judge gives every good response of an operation
whose table has columns to `record_response`. That writes responses of different shapes to `DIR/<operationId>.jsonl`,
one per line, without secrets and without the paths of this machine.
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

__all__ = ["ENGINES", "RECORDED_OPERATIONS", "histories", "record_response", "recorded_documents", "recorded_responses"]

FOLDER = Path(__file__).resolve().parents[1] / "recordings"
ENGINES = ["docker-20.10", "docker-26.1", "docker-28.5", "podman-4.3", "podman-5.4", "practice"]
#: Operations whose tables have columns of their own.
RECORDED_OPERATIONS = {
    *("ContainerList", "ContainerTop", "ContainerChanges", "ImageList", "ImageHistory", "ImageSearch", "ImageDelete"),
    *("ImageBuild", "ImageCreate", "ImageLoad", "ImagePush", "VolumeList", "NetworkList", "SystemDataUsage"),
    *("PluginList", "NodeList", "ServiceList", "TaskList", "SecretList", "ConfigList"),
}
MAX_SHAPES, MAX_ITEMS, MAX_LENGTH = 4, 6, 24_000
#: Where the engines of these tests keep their data.
DATA_DIRECTORIES = re.compile(r"/tmp/[\w.-]+(/[\w.-]+)??/(data|state|storage|root)\b")


def recorded_documents(engine: str, kind: str) -> list[dict[str, Any]]:
    """Return an engine's documents of one kind about the shop: containers, images, events, stats, …"""
    return list(json.loads((FOLDER / engine / f"{kind}.json").read_text("utf-8")))


def histories(engine: str) -> dict[str, Any]:
    """Return the history of each image of the shop, by the image's id."""
    images = {
        tag.removeprefix("docker.io/"): image["Id"]
        for image in recorded_documents(engine, "images")
        for tag in image["RepoTags"]
    }
    return {images[record["image"]]: record["history"] for record in recorded_documents(engine, "history")}


def recorded_responses(operation: str) -> dict[str, list[Any]]:
    """Return each engine's recorded responses to an operation, by the engine's name."""
    return {
        file.parent.name: [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        for file in sorted(FOLDER.glob(f"*/{operation}.jsonl"))
    }


def record_response(operation: str, response: Any) -> None:
    """Write a response, if there is none of its shape yet."""
    target = os.environ.get("DOCKERLAB_RECORD")
    if not target or operation not in RECORDED_OPERATIONS:
        return
    response = response[:MAX_ITEMS] if isinstance(response, list) else response
    body = without_secrets(OPERATIONS[operation], json.dumps(response).encode()).decode()
    body = DATA_DIRECTORIES.sub("/var/lib/engine", body).replace(socket.gethostname(), "lab")
    file = Path(target) / f"{operation}.jsonl"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    shapes = {shape(json.loads(line)) for line in lines}
    if len(lines) < MAX_SHAPES and len(body) < MAX_LENGTH and shape(json.loads(body)) not in shapes:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in [*lines, body]), "utf-8")


def shape(value: Any) -> str:
    """Describe the names and types of a document's fields."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{shape(item)}" for name, item in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({shape(item) for item in value})) + "]"
    return type(value).__name__
