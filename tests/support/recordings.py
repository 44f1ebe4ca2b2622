"""What real engines said of the small shop: see record_documents.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "recordings"
ENGINES = ["docker-20.10", "docker-26.1", "docker-28.5", "podman-4.3", "podman-5.4", "practice"]


def recorded(engine: str, what: str) -> list[dict[str, Any]]:
    """Give the documents that an engine sent."""
    return list(json.loads((FOLDER / engine / f"{what}.json").read_text("utf-8")))


def histories(engine: str) -> dict[str, Any]:
    """Give each image's history, by the image's id."""
    images = {
        tag.removeprefix("docker.io/"): one["Id"] for one in recorded(engine, "images") for tag in one["RepoTags"]
    }
    return {images[one["image"]]: one["history"] for one in recorded(engine, "history")}
