"""Pull and push: an image between a registry and the store, with what is told meanwhile. Blocks: for threads."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from dockerlab.engine.containers.copy_files import decompressed
from dockerlab.engine.faults import Fault, NotFound
from dockerlab.engine.images.base_image import architecture
from dockerlab.engine.images.images import written
from dockerlab.engine.images.progress import progress_line
from dockerlab.engine.images.registry import DOCKER, DOCKER_LIST, OCI, OCI_INDEX, Manifest

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images
    from dockerlab.engine.images.registry import Registry

__all__ = ["chosen", "pull", "push"]

BLOCK = 1 << 20
SHORT = 12
STEP = 1 << 19  #: bytes between two words about a transfer
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
Record = dict[str, Any]


def chosen(registry: Registry, found: Manifest, platform: str) -> Manifest:
    """Of a list of manifests give the one for this machine, or for the platform that was asked for. Raises NotFound."""
    if found.kind not in (DOCKER_LIST, OCI_INDEX):
        if found.kind not in (DOCKER, OCI):
            raise Fault(f"mediaType in manifest should be '{OCI}' not '{found.kind}'")
        return found
    parts = [*platform.split("/"), "", ""] if platform else ["linux", architecture(), ""]
    for entry in found.document.get("manifests") or []:
        told = entry.get("platform") or {}
        fits = told.get("os") == parts[0] and (not parts[1] or told.get("architecture") == parts[1])
        if fits and (not parts[2] or told.get("variant") == parts[2]):
            return registry.manifest(entry["digest"])
    wanted = platform or f"linux/{architecture()}"
    raise NotFound(f"no matching manifest for {wanted} in the manifest list entries")


# -- pull ------------------------------------------------------------------------------------------------------


def pull(images: Images, registry: Registry, found: Manifest, platform: str) -> Iterator[Record]:
    """Bring an image here. The manifest was asked for before, so that a refusal is an answer and not a line."""
    reference = registry.reference
    yield {"status": f"Pulling from {reference.path}", "id": reference.tag or reference.digest}
    manifest = chosen(registry, found, platform).document
    config = b"".join(registry.blob(manifest["config"]["digest"]))
    diff_ids = list(json.loads(config)["rootfs"].get("diff_ids") or [])
    layers = manifest["layers"]
    if len(diff_ids) != len(layers):
        raise Fault("layers in manifest don't match layers in configuration")
    for layer in layers:
        yield progress_line("Pulling fs layer", layer["digest"][7 : 7 + SHORT])
    with images.holding() as held:
        for layer, diff_id in zip(layers, diff_ids, strict=True):
            yield from _layer(images, registry, layer, diff_id, held)
        known = set(images.all)
        image = images.register(config, tags=[])
    before = images.named(reference)
    if reference.tag:
        images.tag(image, reference, quiet=True)
    images.know_digest(image, reference.repository, found.digest)
    images.tell("pull", str(reference), reference.repository)
    yield {"status": f"Digest: {found.digest}"}
    fresh = image.id not in known or before is not image
    yield {"status": f"Status: {'Downloaded newer image' if fresh else 'Image is up to date'} for {reference}"}


def _layer(images: Images, registry: Registry, layer: Record, diff_id: str, held: set[str]) -> Iterator[Record]:
    """Bring one layer here. Raises Fault if it is not what it should be."""
    short, total, done, told = layer["digest"][7 : 7 + SHORT], int(layer.get("size") or 0), 0, 0
    held.add(diff_id)
    if images.layers.has(diff_id):
        yield progress_line("Already exists", short)
        return
    with tempfile.TemporaryFile(dir=images.root) as file:
        for block in registry.blob(layer["digest"]):
            file.write(block)
            done += len(block)
            if done - told >= STEP:
                yield progress_line("Downloading", short, done, total)
                told = done
        yield progress_line("Verifying Checksum", short)
        yield progress_line("Download complete", short)
        file.seek(0)
        yield progress_line("Extracting", short, total, total)
        found = images.layers.add(_blocks(file), held).diff_id
    if found != diff_id:
        raise Fault(f"layer {layer['digest']} holds {found}, and not {diff_id}")
    yield progress_line("Pull complete", short)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    opened = decompressed(file)
    while block := opened.read(BLOCK):
        yield block


# -- push ------------------------------------------------------------------------------------------------------


def push(images: Images, registry: Registry, tagged: list[tuple[str, Image]]) -> Iterator[Record]:
    """Send images, each under a tag of the same repository."""
    for tag, image in tagged:
        shorts = [layer[7 : 7 + SHORT] for layer in image.layers]
        for short in reversed(shorts):
            yield progress_line("Preparing", short)
        entries: list[Record] = []
        for layer, short in zip(image.layers, shorts, strict=True):
            entry: Record = {}
            yield from _send_layer(images, registry, layer, short, entry)
            entries.append(entry)
        config = images.config_bytes(image)
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        if not registry.has_blob(digest):
            registry.put_blob(digest, config, len(config))
        manifest = written(
            {
                "schemaVersion": 2,
                "mediaType": DOCKER,
                "config": {"mediaType": CONFIG, "size": len(config), "digest": digest},
                "layers": entries,
            }
        )
        registry.put_manifest(tag, manifest)
        whole = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        images.know_digest(image, registry.reference.repository, whole)
        images.tell("push", f"{registry.reference.repository}:{tag}", registry.reference.repository)
        yield {"status": f"{tag}: digest: {whole} size: {len(manifest)}"}
        yield {"progressDetail": {}, "aux": {"Tag": tag, "Digest": whole, "Size": len(manifest)}}


def _send_layer(images: Images, registry: Registry, layer: str, short: str, entry: Record) -> Iterator[Record]:
    """Send one layer, compressed, unless it is there; fill in what the manifest says of it."""
    with tempfile.TemporaryFile(dir=images.root) as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            for block in images.layers.read(layer):
                packed.write(block)
        total, whole = file.tell(), hashlib.sha256()
        file.seek(0)
        while block := file.read(BLOCK):
            whole.update(block)
        file.seek(0)
        entry |= {"mediaType": LAYER, "size": total, "digest": f"sha256:{whole.hexdigest()}"}
        if registry.has_blob(entry["digest"]):
            yield progress_line("Layer already exists", short)
            return
        yield progress_line("Pushing", short, total, total)
        registry.put_blob(entry["digest"], file, total)
    yield progress_line("Pushed", short)
