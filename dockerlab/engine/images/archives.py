"""Image archives: what `docker save` writes and `docker load` reads.

The engine writes an OCI layout that also contains Docker's manifest.json, as Docker does since version 25. It reads
both formats, and the older one with a directory per layer.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from dockerlab.engine.common.digests import digits_of, is_digest
from dockerlab.engine.common.timestamps import nanoseconds
from dockerlab.engine.common.tree import MAX_PATH
from dockerlab.engine.faults import BadParameter, Fault
from dockerlab.engine.images import documents, references
from dockerlab.engine.images.images import canonical_json
from dockerlab.engine.storage.compression import decompressed, decompressed_blocks
from dockerlab.engine.storage.unpack import LayerFault, iterate_members, open_untrusted

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["load", "save"]

BLOCK_BYTES = 1 << 20
MAX_MEMBERS, MAX_JSON_BYTES, MAX_LINKS = 100_000, 8 << 20, 10
#: The images of an archive and their names: the record of an image is written again for each name.
MOST_NAMES = 1000
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONTAINERD_NAME, OCI_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"
BLOBS = "blobs/sha256/"
Record = dict[str, Any]


# -- save ------------------------------------------------------------------------------------------------------


def save(images: Images, selection: list[tuple[Image, list[str]]]) -> Iterator[bytes]:
    """Yield one tar with several images, each with the tags that it gets in the archive."""
    docker_manifests, index_entries = [], []
    layers: list[str] = []
    blobs: dict[str, bytes] = {}
    for image, tags in selection:
        config = images.config_bytes(image)
        config_name, manifest = hashlib.sha256(config).hexdigest(), _manifest(images, image, config)
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        blobs |= {config_name: config, _hex(digest): manifest}
        for tag in tags or [""]:
            names = {CONTAINERD_NAME: f"docker.io/library/{tag}", OCI_NAME: tag}
            annotations = {"annotations": names} if tag else {}
            index_entries.append(_descriptor(MANIFEST, digest, len(manifest)) | annotations)
        layer_paths = [f"{BLOBS}{_hex(layer)}" for layer in image.layers]
        docker_manifests.append(
            {"Config": f"{BLOBS}{config_name}", "RepoTags": tags or None, "Layers": layer_paths},
        )
        layers += [layer for layer in image.layers if layer not in layers]
    mtime = max((nanoseconds(image.created) for image, _ in selection), default=0) // 10**9
    for directory in ("blobs/", BLOBS):
        yield _header(directory, 0, mtime, tarfile.DIRTYPE)
    for name, content in blobs.items():
        yield from _file(f"{BLOBS}{name}", content, mtime)
    for layer in layers:
        length = images.layers.length(layer)
        yield _header(f"{BLOBS}{_hex(layer)}", length, mtime)
        yield from images.layers.read(layer)
        yield b"\0" * (-length % tarfile.BLOCKSIZE)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": index_entries}
    yield from _file("index.json", canonical_json(index), mtime)
    yield from _file("manifest.json", json.dumps(docker_manifests, separators=(",", ":")).encode(), mtime)
    yield from _file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}', mtime)
    yield b"\0" * tarfile.BLOCKSIZE * 2


def _manifest(images: Images, image: Image, config: bytes) -> bytes:
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": image.id, "size": len(config)},
            "layers": [_descriptor(LAYER, layer, images.layers.length(layer)) for layer in image.layers],
        }
    )


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _descriptor(media_type: str, digest: str, size: int) -> Record:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _header(name: str, size: int, mtime: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.type = size, mtime, kind
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return member.tobuf(tarfile.PAX_FORMAT)


def _file(name: str, content: bytes, mtime: int) -> Iterator[bytes]:
    yield _header(name, len(content), mtime)
    yield content + b"\0" * (-len(content) % tarfile.BLOCKSIZE)


# -- load ------------------------------------------------------------------------------------------------------


class _ArchivedImage(NamedTuple):
    """Where an archive has the parts of one image."""

    config: str
    layers: list[str]
    tags: list[str]


class _Archive:
    """The members of an uploaded archive by name. The file must be seekable and not compressed."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.members: dict[str, tarfile.TarInfo] = {}
        self.seen: set[str | None] = set()  #: the digests of the manifests inside of indexes, each of which counts once
        try:
            self._read_members()
        except (ValueError, OverflowError):  # a number in a header is invalid or infinite
            raise Fault("unexpected EOF") from None

    def _read_members(self) -> None:
        with open_untrusted(self.file) as tar:
            for member in iterate_members(tar):
                if max(len(member.name), len(member.linkname)) > MAX_PATH:
                    raise BadParameter("invalid archive: a name in it is too long")
                self.members[member.name.removeprefix("./")] = _without_extensions(member)
                if len(self.members) > MAX_MEMBERS:
                    raise BadParameter("the archive has too many members")

    def images(self) -> Iterator[_ArchivedImage]:
        """Yield the images of the archive. Raises BadParameter, Fault."""
        if "manifest.json" in self.members:
            # As in Docker, whatever follows the list is ignored.
            data = self.read("manifest.json")
            if not data.strip():
                raise Fault("EOF")
            manifest = documents.read_document("[]tarexport.manifestItem", data, first_value_only=True)
            if manifest is None:
                raise Fault("invalid manifest, manifest cannot be null (but can be [])")
            for entry in manifest:
                yield _ArchivedImage(entry.get("Config", ""), entry.get("Layers") or [], entry.get("RepoTags") or [])
        elif "index.json" in self.members:
            index = documents.read_document("v1.Index", self.read("index.json"))
            for entry in index.get("manifests") or []:
                yield from self._images_of_index_entry(entry, {})
        else:
            raise Fault("invalid archive: does not contain a manifest.json")

    def _images_of_index_entry(self, entry: Record, names: dict[str, str]) -> Iterator[_ArchivedImage]:
        """Yield the images of a manifest, or of an index inside the index. `names` are the index's annotations."""
        digest = entry.get("digest", "")
        content = self._blob(digest)
        annotations = {**names, **(entry.get("annotations") or {})}
        for nested in documents.read_document("v1.Index", content).get("manifests") or []:
            if (nested.get("platform") or {}).get("os") in ("linux", "", None) and nested.get(
                "digest"
            ) not in self.seen:
                self.seen.add(nested.get("digest"))
                yield from self._images_of_index_entry(nested, annotations)
        manifest = documents.read_document("v1.Manifest", content)
        if "config" in manifest:
            name = annotations.get(CONTAINERD_NAME) or annotations.get(OCI_NAME) or ""
            layers = [_blob_path(layer.get("digest", "")) for layer in manifest.get("layers") or []]
            yield _ArchivedImage(
                _blob_path(manifest["config"].get("digest", "")), layers, [references.familiar(name)] if name else []
            )

    def _blob(self, digest: str) -> bytes:
        """Return a blob. Its content is what its digest says, so no index can contain itself. Raises BadParameter."""
        content = self.read(_blob_path(digest))
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise BadParameter(f"invalid archive: {digest} is not the digest of its content")
        return content

    def _regular_file(self, name: str) -> tarfile.TarInfo:
        """Return a member; older archives have links from one layer's directory to another's. Raises BadParameter."""
        for _ in range(MAX_LINKS):
            member = self.members.get(name)
            if member is None or not (member.issym() or member.islnk()):
                break
            parts = [] if member.islnk() else name.split("/")[:-1]
            for part in member.linkname.split("/"):
                parts = parts[:-1] if part == ".." else [*parts, part] if part != "." else parts
            name = "/".join(parts)
        if member is None or not member.isreg():
            raise BadParameter(f"invalid archive: {name} is not in it")
        return member

    def layer_blocks(self, name: str) -> Iterator[bytes]:
        """Yield the blocks of a layer, decompressed if necessary. Raises BadParameter."""
        member = self._regular_file(name)
        with io.BufferedReader(_FileSection(self.file, member.offset_data, member.size), BLOCK_BYTES) as section:
            yield from decompressed_blocks(section)

    def read(self, name: str) -> bytes:
        """Return the content of a small file. Raises BadParameter."""
        member = self._regular_file(name)
        if member.size > MAX_JSON_BYTES:
            raise BadParameter(f"invalid archive: {name} is too large")
        self.file.seek(member.offset_data)
        return self.file.read(member.size)


def _without_extensions(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return what is needed to read a member later, without its extended headers, which may be long."""
    plain = tarfile.TarInfo()
    plain.type, plain.linkname = member.type, member.linkname
    plain.offset_data, plain.size = member.offset_data, member.size
    return plain


class _FileSection(io.RawIOBase):
    """A section of a file, which can be read like a file of its own."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self.file, self.start, self.size, self.place = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence]
        self.place = max(0, base + offset)
        return self.place

    def readinto(self, buffer: Any) -> int:
        self.file.seek(self.start + self.place)
        data = self.file.read(max(0, min(len(buffer), self.size - self.place)))
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)


def _blob_path(digest: str) -> str:
    """Return the name of a blob in the archive. Raises BadParameter."""
    return f"{BLOBS}{digits_of(digest)}"


def load(images: Images, file: IO[bytes]) -> Iterator[str]:
    """Add the images of an archive; yield a line of output per image. Raises BadParameter, Fault."""
    try:
        with _decompressed_file(file) as archive_file:
            archive = _Archive(archive_file)
            if not archive.members:
                raise Fault("unexpected EOF")
            count = 0
            for archived_image in archive.images():
                count += 1 + len(archived_image.tags)
                if count > MOST_NAMES:
                    raise BadParameter("the archive has too many images and names")
                yield from _load_image(images, archive, archived_image)
    except LayerFault as fault:
        raise Fault("unexpected EOF" if "invalid tar header" in str(fault) else str(fault)) from None
    except (EOFError, tarfile.TarError):
        raise Fault("unexpected EOF") from None


@contextmanager
def _decompressed_file(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield the archive without compression, because a compressed file is not seekable."""
    if decompressed(file) is file:
        yield file
        return
    file.seek(0)
    with tempfile.TemporaryFile() as temporary:
        temporary.writelines(decompressed_blocks(file))
        temporary.seek(0)
        yield temporary


def _checked_tag(text: str) -> str:
    """Return the short form of a tag in an archive. Raises BadParameter with Docker's message."""
    reference = references.parse(text)
    if not reference.tag or reference.digest:
        raise BadParameter(f'invalid tag "{text}"')
    return str(reference)


def _check_diff_id(number: int, expected: str, actual: str) -> None:
    if actual != expected:
        raise BadParameter(f'invalid diffID for layer {number}: expected "{expected}", got "{actual}"')


def _load_image(images: Images, archive: _Archive, archived: _ArchivedImage) -> Iterator[str]:
    config = archive.read(archived.config)
    document = documents.read_config(config)
    diff_ids = document["rootfs"]["diff_ids"]
    if document.get("os", "linux") not in ("", "linux"):
        raise Fault(f"cannot load {document['os']} image on linux")
    tags = [_checked_tag(tag) for tag in archived.tags]
    if len(diff_ids) != len(archived.layers):
        raise BadParameter(
            f"invalid manifest, layers length mismatch: expected {len(archived.layers)}, got {len(diff_ids)}"
        )
    with images.hold_layers() as held:
        for number, (name, diff_id) in enumerate(zip(archived.layers, diff_ids, strict=True)):
            if is_digest(diff_id):
                held.add(diff_id)
            if not images.layers.has(diff_id):
                images.layers.add(archive.layer_blocks(name), held, partial(_check_diff_id, number, diff_id))
        image = images.register(config, tags=tags)
    images.publish_event("load", image, image.id)
    for tag in tags:
        yield f"Loaded image: {tag}\n"
    if not tags:
        yield f"Loaded image ID: {image.id}\n"
