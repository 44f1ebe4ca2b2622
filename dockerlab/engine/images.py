"""The image store: names, ids, and what list and inspect tell."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dockerlab.engine import store
from dockerlab.engine.baseimage import find_busybox, make
from dockerlab.engine.faults import BadParameter

__all__ = ["Image", "Images", "normal"]

TAGS = ("busybox:latest", "alpine:latest")
FILTERS = ("before", "dangling", "label", "reference", "since", "until")


@dataclass(slots=True)
class Image:
    """One image, with its tree on disk."""

    id: str
    tags: list[str]
    created: str
    size: int
    config: dict[str, Any]
    layers: list[str]
    architecture: str
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def directory(self) -> str:
        """The name of its directory in the store."""
        return self.id.removeprefix("sha256:")


def normal(name: str) -> str:
    """Write a reference in its familiar form: `docker.io/library/x` is `x:latest`."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"


class Images:
    """All images under one directory."""

    def __init__(self, root: Path) -> None:
        """Read what is there, and make the base image if it isn't."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.all: dict[str, Image] = {}
        for path in sorted(root.glob("*.json")):
            record = store.read(path)
            if record and (root / record["id"].removeprefix("sha256:")).is_dir():
                self.all[record["id"]] = Image(**record)
        if not self.all:
            self._make_base()

    def rootfs(self, image: Image) -> Path:
        """Give the directory with an image's tree."""
        return self.root / image.directory

    def find(self, name: str) -> Image | None:
        """Find an image by name, id, or the beginning of its id."""
        reference = normal(name)
        for image in self.all.values():
            if reference in image.tags or name == image.id:
                return image
        digits = name.removeprefix("sha256:")
        if len(digits) >= 2 and set(digits) <= set("0123456789abcdef"):  # noqa: PLR2004
            found = [image for image in self.all.values() if image.directory.startswith(digits)]
            return found[0] if len(found) == 1 else None
        return None

    def list(self, filters: dict[str, list[str]]) -> list[Image]:
        """Give those that are wanted. Raises BadParameter for an unknown filter."""
        for name in filters:
            if name not in FILTERS:
                raise BadParameter(f"invalid filter '{name}'")
        found = []
        for image in self.all.values():
            labels = image.config.get("Labels") or {}
            references = filters.get("reference", [])
            patterns = [*references, *(normal(one) for one in references)]
            fits = not references or any(fnmatchcase(tag, pattern) for tag in image.tags for pattern in patterns)
            wanted = [entry.partition("=") for entry in filters.get("label", [])]
            fits &= all(name in labels and (not equals or labels[name] == value) for name, equals, value in wanted)
            fits &= not any(word in ("true", "1") for word in filters.get("dangling", []))
            if fits:
                found.append(image)
        return found

    def _make_base(self) -> None:
        fresh = self.root / "base.new"
        shutil.rmtree(fresh, ignore_errors=True)
        made = make(find_busybox(), fresh)
        image = Image(
            id=made.id,
            tags=list(TAGS),
            created=made.config["created"],
            size=made.size,
            config=made.config["config"],
            layers=[made.layer],
            architecture=made.config["architecture"],
            history=made.config["history"],
        )
        target = self.rootfs(image)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
        store.write(self.root / f"{image.directory}.json", {name: getattr(image, name) for name in image.__slots__})
        self.all[image.id] = image
