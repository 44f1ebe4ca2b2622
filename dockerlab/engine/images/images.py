"""The image store: every image with its names. The content of images is in `layers` and `trees`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import host_programs, json_files
from dockerlab.engine.common.digests import digits_of
from dockerlab.engine.common.timestamps import NEVER, now
from dockerlab.engine.faults import BadParameter, NotFound
from dockerlab.engine.images import base_image, documents, migration, references
from dockerlab.engine.images.layers import Layers, chain_ids
from dockerlab.engine.images.references import Reference, familiar_unchecked
from dockerlab.engine.images.trees import Trees

if TYPE_CHECKING:
    from dockerlab.engine.common.events import Events

__all__ = ["Image", "Images", "canonical_json"]

BASE_IMAGE_TAGS = ("busybox:latest", "alpine:latest")
HEX_DIGITS = set("0123456789abcdef")
ID_DIGITS, SHORT_ID_DIGITS = 64, 12
log = logging.getLogger("dockerlab.engine")
Record = dict[str, Any]


@dataclass(slots=True, eq=False)
class Image:
    """One image.

    `document` is the configuration as it is on disk, in a file of its own; the id is the digest of that file. All
    other attributes are stored under these names, so they can't be renamed.
    """

    id: str
    document: Record
    sizes: list[int]  #: of each layer
    tags: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    parent: str = ""  #: the id of the image that this one was built or committed from
    tagged: str = NEVER  #: when it got its last tag
    built_here: bool = False  #: whether it was built or committed by this engine: builds trust no other as their cache

    @property
    def hex(self) -> str:
        """The id without its algorithm, which is also the name of the image's files."""
        return digits_of(self.id)

    @property
    def short_id(self) -> str:
        """The first digits of the id, as `docker images` shows them."""
        return self.hex[:SHORT_ID_DIGITS]

    @property
    def config(self) -> Record:
        """The default configuration of a container: `Cmd`, `Env`, `Labels` and so on."""
        return self.document.get("config") or {}

    @property
    def layers(self) -> list[str]:
        """The digests of the layers, the lowest first."""
        return list((self.document.get("rootfs") or {}).get("diff_ids") or [])

    @property
    def history(self) -> list[Record]:
        """The build steps, the oldest first."""
        return self.document.get("history") or []

    @property
    def size(self) -> int:
        """The size of the files in all layers."""
        return sum(self.sizes)

    def layer_sizes(self) -> list[tuple[str, int]]:
        """Return the digest and the size of each layer."""
        return list(zip(self.layers, self.sizes, strict=True))

    @property
    def created(self) -> str:
        return str(self.document.get("created") or NEVER)

    @property
    def architecture(self) -> str:
        """The architecture that the image's programs are for."""
        return str(self.document.get("architecture") or "")

    @property
    def names(self) -> list[str]:
        """All references to the image: tags and digests."""
        return [*self.tags, *self.digests]


class _HeldLayers(set[str]):
    """Layers that must not be removed. Removal decides with the same lock that guards changes to the set."""

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
    """All images below one directory."""

    def __init__(self, root: Path, events: Events | None = None) -> None:
        """Read the stored images, and create the base image if there are none."""
        self.root = root
        self.events = events
        self.loop: asyncio.AbstractEventLoop | None = None  #: where events of other threads are published
        self.lock = threading.RLock()
        self.layers = Layers(root / "layers")
        self.trees = Trees(root / "trees", self.layers)
        self.all: dict[str, Image] = {}
        #: returns the layers of each container, because a container may outlive its image
        self.container_layers: Callable[[], list[list[str]]] = list
        self._held: list[set[str]] = []
        #: whether a record can't be read: nobody knows which layers it needs, so none is removed
        self.keeps_all_layers = False
        for path in sorted(root.glob("*.json")):
            self._read(path)
        self._remove_double_tags()
        for record, config in migration.migrate(root, self.layers, self.trees):
            self.register(config, tags=record["tags"], image_id=record["id"])
            migration.remove_old_tree(root, record)
        if not self.all:
            config = base_image.create(host_programs.find_busybox(), self.layers, self.trees)
            self.register(config, tags=list(BASE_IMAGE_TAGS))

    def _read(self, path: Path) -> None:
        """Read a record. One that can't be read stays on disk, and `dockerlab doctor` names it."""
        if migration.is_old(path):
            return
        try:
            record, config = documents.read_record(path)
            self.all[record["id"]] = Image(document=config, **record)
        except ValueError as error:
            self.keeps_all_layers = True
            log.warning("skipped the image in %s: %s", path, error)

    # -- finding -----------------------------------------------------------------------------------------------

    def find(self, name: str) -> Image | None:
        """Return the image with a name, an id, or a unique prefix of an id."""
        if name in self.all:
            return self.all[name]
        digits = name.removeprefix("sha256:")
        if len(digits) == ID_DIGITS and set(digits) <= HEX_DIGITS:
            return self.all.get(f"sha256:{digits}")
        try:
            reference = references.parse(name).with_default_tag() if name == digits else None  # an id is not a name
        except BadParameter:
            reference = None
        with self.lock:
            if reference is not None and (image := self.find_reference(reference)) is not None:
                return image
            if digits and set(digits) <= HEX_DIGITS:
                matches = [image for image in self.all.values() if image.hex.startswith(digits)]
                return matches[0] if len(matches) == 1 else None
        return None

    def find_reference(self, reference: Reference) -> Image | None:
        """Return the image with exactly this reference; if it has a digest, its tag is ignored."""
        digest = f"{reference.repository}@{reference.digest}"
        for image in self.all.values():
            if digest in image.digests if reference.digest else str(reference) in image.tags:
                return image
        # The digest may also be an image's id, if the image has a name in the same repository.
        image_by_id = self.all.get(reference.digest)
        names = image_by_id.names if image_by_id is not None else []
        return image_by_id if any(references.parse(name).name == reference.name for name in names) else None

    def require(self, name: str) -> Image:
        """Return the image with a name or id. Raises NotFound, or BadParameter if it is not a valid name."""
        image = self.find(name)
        if image is None:
            references.parse(name.removeprefix("sha256:")[: ID_DIGITS - 1])
            raise NotFound(f"No such image: {familiar_unchecked(name)}")
        return image

    def rootfs(self, image: Image) -> Path:
        """Return the directory with an image's file tree, which must not be changed."""
        return self.trees.get(image.layers)

    def config_bytes(self, image: Image) -> bytes:
        """Return an image's configuration exactly as it is on disk."""
        return self._config_path(image).read_bytes()

    def children(self, image: Image) -> list[Image]:
        """Return the images that were built or committed from an image."""
        return [other for other in self.all.values() if other.parent == image.id]

    # -- names -------------------------------------------------------------------------------------------------

    def tag(self, image: Image, reference: str | Reference, *, quiet: bool = False) -> None:
        """Give an image a name, and take the name from any other image. Raises BadParameter."""
        if not isinstance(reference, Reference):
            reference = references.parse(reference)
        name = str(reference.with_default_tag())
        with self.lock:
            self._change(image, tags=sorted({*image.tags, name}), tagged=now())
            for other in self.all.values():
                if name in other.tags and other is not image:
                    other.tags = [tag for tag in other.tags if tag != name]
                    with contextlib.suppress(OSError):  # then the next start takes the name from it
                        self._save(other)
        if not quiet:
            self.publish_event("tag", image, name)

    def add_digest(self, image: Image, repository: str, digest: str) -> None:
        """Store the digest under which a registry has an image."""
        name = f"{repository}@{digest}"
        with self.lock:
            if name not in image.digests:
                self._change(image, digests=sorted([*image.digests, name]))
            for other in self.all.values():
                if name in other.digests and other is not image:
                    other.digests = [each for each in other.digests if each != name]
                    with contextlib.suppress(OSError):
                        self._save(other)

    def untag(self, image: Image, name: str) -> None:
        """Remove a tag or digest from an image."""
        with self.lock:
            tags = [tag for tag in image.tags if tag != name]
            self._change(image, tags=tags, digests=[digest for digest in image.digests if digest != name])

    def _change(self, image: Image, **changes: Any) -> None:
        """Change an image's attributes. If they can't be saved, they stay as they are."""
        changed = replace(image, **changes)
        self._save(changed)
        for name, value in changes.items():
            setattr(image, name, value)

    def _remove_double_tags(self) -> None:
        """Leave each tag to the image that got it last: a crash or a full disk may have left it to two."""
        owners: dict[str, Image] = {}
        for image in sorted(self.all.values(), key=lambda image: image.tagged):
            owners |= dict.fromkeys(image.tags, image)
        for image in self.all.values():
            image.tags = [tag for tag in image.tags if owners[tag] is image]

    # -- adding and removing -----------------------------------------------------------------------------------

    def register(self, config: bytes, *, tags: list[str], image_id: str = "", **origin: Any) -> Image:
        """Add an image whose layers are stored already, and create its tree; return the image if it exists.

        `origin` has its `parent` and `built_here`. Raises BadParameter for what Docker would refuse, and LayerFault.
        """
        image_id = image_id or f"sha256:{hashlib.sha256(config).hexdigest()}"
        document = documents.read_config(config)
        diff_ids = list(document["rootfs"]["diff_ids"])
        self.trees.get(diff_ids)
        sizes = [self.layers.get(diff_id).size for diff_id in diff_ids]
        with self.lock:
            image = self.all.get(image_id)
            if image is not None:
                for tag in tags:
                    self.tag(image, tag, quiet=True)
                return image
            image = Image(image_id, document, sizes, **origin)
            self._add(image, config)
            try:
                for tag in tags:
                    self.tag(image, tag, quiet=True)
            except OSError:
                self.remove(image)
                raise
        return image

    def _add(self, image: Image, config: bytes) -> None:
        """Store a new image: first its configuration, which without the record counts for nothing."""
        documents.set_aside(self._record_path(image), self._config_path(image))
        try:
            self._config_path(image).write_bytes(config)
            self._save(image)
        except OSError:
            self._record_path(image).unlink(missing_ok=True)
            self._config_path(image).unlink(missing_ok=True)
            raise
        self.all[image.id] = image

    def layers_size(self) -> int:
        """Return the size of all layers, each counted once."""
        return sum({layer: size for image in list(self.all.values()) for layer, size in image.layer_sizes()}.values())

    @contextmanager
    def hold_layers(self) -> Iterator[set[str]]:
        """Yield a set; the layers in it are not removed, although they don't belong to an image yet.

        If no image has come of them in the end, they are removed.
        """
        held = _HeldLayers(self.lock)
        with self.lock:
            self._held.append(held)
        try:
            yield held
        except BaseException:
            self._release(held)
            self.remove_if_unused(held)
            self._remove_unused_trees()
            raise
        self._release(held)

    def _release(self, held: set[str]) -> None:
        with self.lock:  # compare by identity: an equal set may belong to another thread
            self._held = [other for other in self._held if other is not held]

    def remove_if_unused(self, diff_ids: set[str]) -> None:
        """Remove those of the layers that nothing has or holds."""
        with self.lock:
            used = {diff_id for layers in self._used_stacks() for diff_id in layers}.union(*self._held)
            for diff_id in diff_ids - used if not self.keeps_all_layers else ():
                self.layers.remove(diff_id)

    def _remove_unused_trees(self) -> None:
        """Remove the trees of no image and no container, unless another thread may be making one."""
        with self.lock:
            if not self._held and not self.keeps_all_layers:
                self.trees.keep_only({"", *(chain for layers in self._used_stacks() for chain in chain_ids(layers))})

    def remove(self, image: Image) -> list[str]:
        """Remove an image; return the chain ids of the layers that were removed with it, the newest first."""
        with self.lock:
            del self.all[image.id]
            self._record_path(image).unlink(missing_ok=True)
            self._config_path(image).unlink(missing_ok=True)
            for child in self.children(image):
                child.parent = ""
                self._save(child)
            stacks = self._used_stacks()
            used_chains = {chain for layers in stacks for chain in chain_ids(layers)}
            removed_chains = [chain for chain in reversed(chain_ids(image.layers)) if chain not in used_chains]
            if self.keeps_all_layers:
                return removed_chains
            held = set().union(*self._held)
            used_layers = {diff_id for layers in stacks for diff_id in layers} | held
            if not held.intersection(image.layers):
                self.trees.remove(removed_chains)
            for diff_id in set(image.layers) - used_layers:
                self.layers.remove(diff_id)
        return removed_chains

    def remove_unused_layers(self) -> None:
        """Remove the layers and trees that a crash left behind. Only safe while nothing else uses the store."""
        if self.keeps_all_layers:
            return
        stacks = self._used_stacks()
        self.trees.keep_only({chain for layers in stacks for chain in chain_ids(layers)})
        self.layers.keep_only({diff_id for layers in stacks for diff_id in layers})

    def _used_stacks(self) -> list[list[str]]:
        return [*(image.layers for image in self.all.values()), *self.container_layers()]

    def _record_path(self, image: Image) -> Path:
        return self.root / f"{image.hex}.json"

    def _config_path(self, image: Image) -> Path:
        return self.root / f"{image.hex}.config"

    def _save(self, image: Image) -> None:
        record = {name: getattr(image, name) for name in image.__slots__ if name != "document"}
        json_files.write(self._record_path(image), record)

    def publish_event(self, action: str, image: Image | str, name: str) -> None:
        """Publish an event of an image from any thread; a pull or push names a reference in place of an image."""
        if self.events is None:
            return
        actor_id = image if isinstance(image, str) else image.id
        labels = {} if isinstance(image, str) else image.config.get("Labels") or {}
        event = ("image", action, actor_id, {**labels, "name": name})
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self.loop is not None:
                self.loop.call_soon_threadsafe(self.events.publish, *event)
            return
        self.events.publish(*event)


def canonical_json(document: Record) -> bytes:
    """Return a configuration or manifest as Docker writes it: with sorted keys and without spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
