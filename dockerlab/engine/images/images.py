"""The image store: every image with its names. What it is made of lies in `layers` and `trees`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import host_programs, json_files
from dockerlab.engine.common.timestamps import NEVER, now
from dockerlab.engine.faults import BadParameter, NotFound
from dockerlab.engine.images import base_image, migration, references
from dockerlab.engine.images.layers import Layers, chains
from dockerlab.engine.images.references import Reference, familiar_unchecked
from dockerlab.engine.images.trees import Trees

if TYPE_CHECKING:
    from dockerlab.engine.common.events import Events

__all__ = ["Image", "Images", "missing", "written"]

TAGS = ("busybox:latest", "alpine:latest")
DIGITS = set("0123456789abcdef")
WHOLE_ID = 64
Record = dict[str, Any]


@dataclass(slots=True, eq=False)
class Image:
    """One image. `document` is its configuration as it is on disk, under the digest that is its id."""

    id: str
    document: Record
    sizes: list[int]  #: of each layer
    tags: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    parent: str = ""
    tagged: str = NEVER

    @property
    def hex(self) -> str:
        """Its id without the algorithm: the name of its files."""
        return self.id.removeprefix("sha256:")

    @property
    def config(self) -> Record:
        """What a container of it begins with: `Cmd`, `Env`, `Labels` and so on."""
        return self.document.get("config") or {}

    @property
    def layers(self) -> list[str]:
        """The digests of its layers, the lowest first."""
        return list((self.document.get("rootfs") or {}).get("diff_ids") or [])

    @property
    def history(self) -> list[Record]:
        """Its steps, the oldest first."""
        return self.document.get("history") or []

    @property
    def size(self) -> int:
        """What the files in all layers hold."""
        return sum(self.sizes)

    @property
    def created(self) -> str:
        """When it was made."""
        return str(self.document.get("created") or NEVER)

    @property
    def architecture(self) -> str:
        """The machine that it is for."""
        return str(self.document.get("architecture") or "")

    @property
    def names(self) -> list[str]:
        """All that refers to it: tags and digests."""
        return [*self.tags, *self.digests]


class _Held(set[str]):
    """Layers that stay. Whoever removes some decides with the same lock."""

    def __init__(self, lock: threading.RLock) -> None:
        super().__init__()
        self.lock = lock

    def add(self, element: str) -> None:
        with self.lock:
            super().add(element)

    def update(self, *others: Iterable[str]) -> None:
        with self.lock:
            super().update(*others)


class Images:
    """All images under one directory."""

    def __init__(self, root: Path, events: Events | None = None) -> None:
        """Read what is there, and make the base image if there is none."""
        self.root = root
        self.events = events
        self.loop: asyncio.AbstractEventLoop | None = None  #: where events are told, when a thread has news
        self.lock = threading.RLock()
        self.layers = Layers(root / "layers")
        self.trees = Trees(root / "trees", self.layers)
        self.all: dict[str, Image] = {}
        self.in_use: Callable[[], list[list[str]]] = list  #: layers of containers, whose image may be gone
        self._held: list[set[str]] = []
        for path in sorted(root.glob("*.json")):
            self._read(path)
        for image, config in migration.images(root, self.layers, self.trees):
            self.register(config, tags=image["tags"], known_as=image["id"])
            migration.forget(root, image)
        if not self.all:
            self.register(base_image.make(host_programs.find(), self.layers, self.trees), tags=list(TAGS))

    def _read(self, path: Path) -> None:
        record, config = json_files.read(path), json_files.read(path.with_suffix(".config"))
        if isinstance(record, dict) and isinstance(config, dict) and "sizes" in record:
            self.all[record["id"]] = Image(document=config, **record)

    # -- finding -----------------------------------------------------------------------------------------------

    def find(self, name: str) -> Image | None:
        """Find an image by name, id, or the beginning of its id."""
        if name in self.all:
            return self.all[name]
        digits = name.removeprefix("sha256:")
        if len(digits) == WHOLE_ID and set(digits) <= DIGITS:
            return self.all.get(f"sha256:{digits}")
        try:
            wanted = references.parse(name).with_default_tag()
        except BadParameter:
            wanted = None
        with self.lock:
            if wanted is not None and (image := self.named(wanted)) is not None:
                return image
            if digits and set(digits) <= DIGITS:
                found = [image for image in self.all.values() if image.hex.startswith(digits)]
                return found[0] if len(found) == 1 else None
        return None

    def named(self, reference: Reference) -> Image | None:
        """Find the image that has exactly this name; a digest counts more than a tag."""
        digest = f"{reference.repository}@{reference.digest}"
        for image in self.all.values():
            if digest in image.digests if reference.digest else str(reference) in image.tags:
                return image
        if reference.digest in self.all and any(
            references.parse(tag).name == reference.name for tag in self.all[reference.digest].names
        ):
            return self.all[reference.digest]
        return None

    def need(self, name: str) -> Image:
        """Find an image. Raises NotFound, or BadParameter for what can't be a name."""
        image = self.find(name)
        if image is None:
            references.parse(name.removeprefix("sha256:")[: WHOLE_ID - 1])
            raise missing(name)
        return image

    def rootfs(self, image: Image) -> Path:
        """Give the directory with an image's tree, which nobody may write into."""
        return self.trees.get(image.layers)

    def config(self, image: Image) -> Record:
        """Give what a container of it begins with."""
        return image.config

    def config_bytes(self, image: Image) -> bytes:
        """Give its configuration as it is on disk, byte by byte."""
        return (self.root / f"{image.hex}.config").read_bytes()

    def children(self, image: Image) -> list[Image]:
        """Give the images that were made from it."""
        return [one for one in self.all.values() if one.parent == image.id]

    def known_layers(self) -> set[str]:
        """Give the layers of all images."""
        return {layer for image in self.all.values() for layer in image.layers}

    # -- names -------------------------------------------------------------------------------------------------

    def tag(self, image: Image, reference: str | Reference, *, quiet: bool = False) -> None:
        """Give an image a name, which another one then has no longer. Raises BadParameter."""
        wanted = reference if isinstance(reference, Reference) else references.parse(reference)
        name = str(wanted.with_default_tag())
        with self.lock:
            for other in self.all.values():
                if name in other.tags and other is not image:
                    other.tags.remove(name)
                    self._save(other)
            if name not in image.tags:
                image.tags = sorted([*image.tags, name])
            image.tagged = now()
            self._save(image)
        if not quiet:
            self.tell("tag", image, name)

    def know_digest(self, image: Image, repository: str, digest: str) -> None:
        """Remember under which digest a registry has an image."""
        name = f"{repository}@{digest}"
        with self.lock:
            for other in self.all.values():
                if name in other.digests and other is not image:
                    other.digests.remove(name)
                    self._save(other)
            if name not in image.digests:
                image.digests = sorted([*image.digests, name])
                self._save(image)

    def untag(self, image: Image, name: str) -> None:
        """Take a tag or digest away."""
        with self.lock:
            image.tags = [tag for tag in image.tags if tag != name]
            image.digests = [digest for digest in image.digests if digest != name]
            self._save(image)

    # -- coming and going --------------------------------------------------------------------------------------

    def register(self, config: bytes, *, tags: list[str], parent: str = "", known_as: str = "") -> Image:
        """Take an image whose layers are here, and make its tree; one that is known already is given as it is."""
        identity = known_as or f"sha256:{hashlib.sha256(config).hexdigest()}"
        document = json.loads(config)
        diff_ids = list(document["rootfs"].get("diff_ids") or [])
        self.trees.get(diff_ids)
        sizes = [self.layers.get(diff_id).size for diff_id in diff_ids]
        with self.lock:
            image = self.all.get(identity)
            if image is None:
                image = Image(identity, document, sizes, parent=parent)
                (self.root / f"{image.hex}.config").write_bytes(config)
            self._save(image)
            self.all[identity] = image
            for tag in tags:
                self.tag(image, tag, quiet=True)
        return image

    @contextmanager
    def holding(self) -> Iterator[set[str]]:
        """Give a set; the layers in it stay, although no image has them yet."""
        held = _Held(self.lock)
        with self.lock:
            self._held.append(held)
        try:
            yield held
        finally:
            with self.lock:  # the one that is equal may be somebody else's
                self._held = [one for one in self._held if one is not held]

    def remove(self, image: Image) -> list[str]:
        """Remove an image; give the chains of the layers that went with it, the newest first."""
        with self.lock:
            del self.all[image.id]
            for suffix in ("json", "config"):
                (self.root / f"{image.hex}.{suffix}").unlink(missing_ok=True)
            for other in self.children(image):
                other.parent = ""
                self._save(other)
            kept = [*(other.layers for other in self.all.values()), *self.in_use()]
            left = {name for layers in kept for name in chains(layers)}
            gone = [name for name in reversed(chains(image.layers)) if name not in left]
            held = set().union(*self._held)
            used = {diff_id for layers in kept for diff_id in layers} | held
            if not held.intersection(image.layers):
                self.trees.remove(gone)
            for diff_id in set(image.layers) - used:
                self.layers.remove(diff_id)
        return gone

    def sweep(self) -> None:
        """Remove what no image has, nor any container: what a crash has left. For a moment when nobody works."""
        kept = [*(image.layers for image in self.all.values()), *self.in_use()]
        self.trees.keep_only({name for layers in kept for name in chains(layers)})
        self.layers.keep_only({diff_id for layers in kept for diff_id in layers})

    def _save(self, image: Image) -> None:
        kept = {name: getattr(image, name) for name in image.__slots__ if name != "document"}
        json_files.write(self.root / f"{image.hex}.json", kept)

    def tell(self, action: str, image: Image | str, name: str) -> None:
        """Tell an event of an image, from any thread."""
        if self.events is None:
            return
        identity = image if isinstance(image, str) else image.id
        labels = {} if isinstance(image, str) else image.config.get("Labels") or {}
        about = ("image", action, identity, {**labels, "name": name})
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self.loop is not None:
                self.loop.call_soon_threadsafe(self.events.record, *about)
            return
        self.events.record(*about)


def missing(name: str) -> NotFound:
    """Give Docker's words for an image that isn't there."""
    return NotFound(f"No such image: {familiar_unchecked(name)}")


def written(document: Record) -> bytes:
    """Write a configuration as Docker does: sorted, without spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
