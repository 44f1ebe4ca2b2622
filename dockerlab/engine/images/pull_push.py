"""Pull and push: an image between a registry and the image store. All functions block, so call them in a thread."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import Fault, NotFound
from dockerlab.engine.images import documents
from dockerlab.engine.images.base_image import architecture
from dockerlab.engine.images.images import canonical_json
from dockerlab.engine.images.progress import progress_line
from dockerlab.engine.images.registry import DOCKER, DOCKER_LIST, OCI, OCI_INDEX, Manifest
from dockerlab.engine.storage.compression import decompressed_blocks

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images
    from dockerlab.engine.images.registry import Registry

__all__ = ["check_kind", "pull", "push"]

PROGRESS_BYTES = 1 << 19  #: between two progress lines of a transfer
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
Record = dict[str, Any]


def _short(digest: str) -> str:
    return digest.partition(":")[2][:12]


# -- pull ------------------------------------------------------------------------------------------------------


def pull(images: Images, registry: Registry, top_manifest: Manifest, platform: str) -> Iterator[Record]:
    """Download an image; yield progress lines. Raises NotFound, Fault.

    The caller reads the first manifest, so that a refusal can still become the status of the response.
    """
    reference = registry.reference
    yield {"status": f"Pulling from {reference.path}", "id": reference.tag or reference.digest}
    manifest = _select_platform(registry, top_manifest, platform).document
    config = registry.small_blob(manifest["config"].get("digest", ""))
    diff_ids = documents.read_config(config)["rootfs"]["diff_ids"]
    layers = manifest["layers"]
    for digest in (*diff_ids, *(layer.get("digest", "") for layer in layers)):
        documents.check_digest(digest)
    if len(diff_ids) != len(layers):
        raise Fault("layers in manifest don't match layers in configuration")
    for layer in layers:
        yield progress_line("Pulling fs layer", _short(layer["digest"]))
    with images.hold_layers() as held:
        for layer, diff_id in zip(layers, diff_ids, strict=True):
            yield from _pull_layer(images, registry, layer, diff_id, held)
        earlier_ids, earlier_image = set(images.all), images.find_reference(reference)
        image = images.register(config, tags=[str(reference)] if reference.tag else [])
    images.add_digest(image, reference.repository, top_manifest.digest)
    images.publish_event("pull", str(reference), reference.repository)
    yield {"status": f"Digest: {top_manifest.digest}"}
    is_newer = image.id not in earlier_ids or earlier_image is not image
    yield {"status": f"Status: {'Downloaded newer image' if is_newer else 'Image is up to date'} for {reference}"}


def _select_platform(registry: Registry, manifest: Manifest, platform: str) -> Manifest:
    """Return the manifest from a list that fits the requested platform, or this machine. Raises NotFound, Fault."""
    check_kind(manifest)
    if manifest.media_type not in (DOCKER_LIST, OCI_INDEX):
        if manifest.media_type not in (DOCKER, OCI):
            raise Fault(f"mediaType in manifest should be '{OCI}' not '{manifest.media_type}'")
        return manifest
    system, machine, variant, *_ = [*platform.split("/"), "", ""] if platform else ["linux", architecture(), ""]
    for entry in manifest.index.get("manifests") or []:
        offered = entry.get("platform") or {}
        fits = offered.get("os") == system and (not machine or offered.get("architecture") == machine)
        if fits and (not variant or offered.get("variant") == variant):
            chosen = registry.manifest(documents.check_digest(entry.get("digest", "")))
            if chosen.media_type not in (DOCKER, OCI):
                raise Fault(f"mediaType in manifest should be '{OCI}' not '{chosen.media_type}'")
            check_kind(chosen)
            return chosen
    requested = platform or f"linux/{architecture()}"
    raise NotFound(f"no matching manifest for {requested} in the manifest list entries")


def check_kind(manifest: Manifest) -> None:
    """Raise Fault for a manifest that is also a list of manifests: one digest would stand for two images.

    Only the registry's Content-Type says how such a document has to be read, and no digest protects that.
    """
    own_type = manifest.index.get("mediaType") or manifest.media_type
    if own_type != manifest.media_type:
        raise Fault(f"mediaType in manifest should be '{manifest.media_type}' not '{own_type}'")
    is_image = bool(manifest.document["config"] or manifest.document["layers"])
    if is_image and manifest.index.get("manifests"):
        raise Fault("the manifest of an image can't be a list of manifests, too")


def _pull_layer(images: Images, registry: Registry, layer: Record, diff_id: str, held: set[str]) -> Iterator[Record]:
    """Download one layer, unless it exists. Raises Fault if its content is not what the image says."""
    short, total, done, reported = _short(layer["digest"]), max(0, layer.get("size", 0)), 0, 0
    held.add(diff_id)
    if images.layers.has(diff_id):
        yield progress_line("Already exists", short)
        return
    with tempfile.TemporaryFile(dir=images.root) as file:
        for block in registry.blob(layer["digest"]):
            file.write(block)
            done += len(block)
            if done - reported >= PROGRESS_BYTES:
                yield progress_line("Downloading", short, done, total)
                reported = done
        yield progress_line("Verifying Checksum", short)
        yield progress_line("Download complete", short)
        file.seek(0)
        yield progress_line("Extracting", short, total, total)

        def check(actual: str) -> None:
            if actual != diff_id:
                raise Fault(f"layer {layer['digest']} contains {actual}, but the image expects {diff_id}")

        images.layers.add(decompressed_blocks(file), held, check)
    yield progress_line("Pull complete", short)


# -- push ------------------------------------------------------------------------------------------------------


def push(images: Images, registry: Registry, tagged_images: list[tuple[str, Image]]) -> Iterator[Record]:
    """Upload images, each under a tag of the registry's repository; yield progress lines. Raises Fault."""
    for tag, image in tagged_images:
        for layer in reversed(image.layers):
            yield progress_line("Preparing", _short(layer))
        entries: list[Record] = []
        for layer in image.layers:
            entries.append((yield from _push_layer(images, registry, layer)))
        config = images.config_bytes(image)
        config_digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        if not registry.has_blob(config_digest):
            registry.put_blob(config_digest, config, len(config))
        manifest = canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": DOCKER,
                "config": {"mediaType": CONFIG, "size": len(config), "digest": config_digest},
                "layers": entries,
            }
        )
        registry.put_manifest(tag, manifest)
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        images.add_digest(image, registry.reference.repository, digest)
        images.publish_event("push", f"{registry.reference.repository}:{tag}", registry.reference.repository)
        yield {"status": f"{tag}: digest: {digest} size: {len(manifest)}"}
        yield {"progressDetail": {}, "aux": {"Tag": tag, "Digest": digest, "Size": len(manifest)}}


def _push_layer(images: Images, registry: Registry, layer: str) -> Generator[Record, None, Record]:
    """Upload one layer, compressed, unless the registry has it; return its entry for the manifest."""
    short = _short(layer)
    with tempfile.TemporaryFile(dir=images.root) as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed:
            for block in images.layers.read(layer):
                compressed.write(block)
        total = file.tell()
        file.seek(0)
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        file.seek(0)
        entry = {"mediaType": LAYER, "size": total, "digest": digest}
        if registry.has_blob(digest):
            yield progress_line("Layer already exists", short)
            return entry
        yield progress_line("Pushing", short, total, total)
        registry.put_blob(digest, file, total)
    yield progress_line("Pushed", short)
    return entry
