"""Images as files: what `save` writes, and what `load` and `import` read.

Written is an OCI layout with Docker's manifest.json beside it, as Docker does since 25; read are both, and the older
form with a directory for each layer.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import nanoseconds
from dockerlab.engine.containers.copy_files import decompressed
from dockerlab.engine.faults import BadParameter, Fault
from dockerlab.engine.images.images import canonical_json
from dockerlab.engine.images.references import familiar
from dockerlab.engine.storage.unpack import LayerFault, guarded, members

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["load", "save"]

BLOCK = 1 << 20
MOST_MEMBERS, MOST_JSON = 100_000, 8 << 20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
Record = dict[str, Any]


# -- writing ---------------------------------------------------------------------------------------------------


def save(images: Images, wanted: list[tuple[Image, list[str]]]) -> Iterator[bytes]:
    """Write images, each with the names that it is to have, as one tar."""
    manifests, entries = [], []
    layers: list[str] = []
    blobs: dict[str, bytes] = {}
    for image, tags in wanted:
        config = images.config_bytes(image)
        name, manifest = hashlib.sha256(config).hexdigest(), _manifest(images, image, config)
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        blobs |= {name: config, _hex(digest): manifest}
        for tag in tags or [""]:
            names = {"io.containerd.image.name": f"docker.io/library/{tag}", "org.opencontainers.image.ref.name": tag}
            more = {"annotations": names} if tag else {}
            entries.append(_descriptor(MANIFEST, digest, len(manifest)) | more)
        places = [f"blobs/sha256/{_hex(layer)}" for layer in image.layers]
        manifests.append({"Config": f"blobs/sha256/{name}", "RepoTags": tags or None, "Layers": places})
        layers += [layer for layer in image.layers if layer not in layers]
    moment = max((nanoseconds(image.created) for image, _ in wanted), default=0) // 10**9
    for name in ("blobs/", "blobs/sha256/"):
        yield _header(name, 0, moment, tarfile.DIRTYPE)
    for name, data in blobs.items():
        yield from _file(f"blobs/sha256/{name}", data, moment)
    for layer in layers:
        length = images.layers.length(layer)
        yield _header(f"blobs/sha256/{_hex(layer)}", length, moment)
        yield from images.layers.read(layer)
        yield b"\0" * (-length % tarfile.BLOCKSIZE)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    yield from _file("index.json", canonical_json(index), moment)
    yield from _file("manifest.json", json.dumps(manifests, separators=(",", ":")).encode(), moment)
    yield from _file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}', moment)
    yield b"\0" * tarfile.BLOCKSIZE * 2


def _manifest(images: Images, image: Image, config: bytes) -> bytes:
    sizes = [images.layers.length(layer) for layer in image.layers]
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": image.id, "size": len(config)},
            "layers": [_descriptor(LAYER, one, size) for one, size in zip(image.layers, sizes, strict=True)],
        }
    )


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _descriptor(kind: str, digest: str, size: int) -> Record:
    return {"mediaType": kind, "digest": digest, "size": size}


def _header(name: str, size: int, moment: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.type = size, moment, kind
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return member.tobuf(tarfile.PAX_FORMAT)


def _file(name: str, data: bytes, moment: int) -> Iterator[bytes]:
    yield _header(name, len(data), moment)
    yield data + b"\0" * (-len(data) % tarfile.BLOCKSIZE)


# -- reading ---------------------------------------------------------------------------------------------------


class _Archive:
    """The members of an archive that somebody sent, by name."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.found: dict[str, tarfile.TarInfo] = {}
        with guarded(file) as tar:
            for member in members(tar):
                self.found[member.name.removeprefix("./")] = member
                if len(self.found) > MOST_MEMBERS:
                    raise BadParameter("the archive has too many members")

    def member(self, name: str) -> tarfile.TarInfo:
        """Find a file; older archives have links from one layer's directory to another's. Raises BadParameter."""
        for _ in range(10):
            member = self.found.get(name)
            if member is None or not (member.issym() or member.islnk()):
                break
            base = [] if member.islnk() else name.split("/")[:-1]
            for part in member.linkname.split("/"):
                base = base[:-1] if part == ".." else [*base, part] if part != "." else base
            name = "/".join(base)
        if member is None or not member.isreg():
            raise BadParameter(f"invalid archive: {name} is not in it")
        return member

    def blocks(self, name: str) -> Iterator[bytes]:
        """Read a layer, decompressed if need be."""
        member = self.member(name)
        with self._part(member) as part:
            opened = decompressed(part)
            while block := opened.read(BLOCK):
                yield block

    @contextmanager
    def _part(self, member: tarfile.TarInfo) -> Iterator[IO[bytes]]:
        part = _Part(self.file, member.offset_data, member.size)
        yield io.BufferedReader(part, BLOCK)

    def read(self, name: str) -> bytes:
        """Read a small file whole. Raises BadParameter."""
        member = self.member(name)
        if member.size > MOST_JSON:
            raise BadParameter(f"invalid archive: {name} is too large")
        self.file.seek(member.offset_data)
        return self.file.read(member.size)

    def json(self, name: str) -> Any:
        """Read a document. Raises BadParameter."""
        try:
            return json.loads(self.read(name))
        except ValueError:
            raise BadParameter(f"invalid archive: {name} is no JSON") from None


class _Part(io.RawIOBase):
    """A piece of a file, as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self.whole, self.start, self.size, self.place = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence]
        self.place = max(0, base + offset)
        return self.place

    def readinto(self, buffer: Any) -> int:
        self.whole.seek(self.start + self.place)
        data = self.whole.read(max(0, min(len(buffer), self.size - self.place)))
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)


def load(images: Images, file: IO[bytes]) -> Iterator[str]:
    """Read an archive; give a line for each image that came. Raises BadParameter, Fault."""
    try:
        with _plain(file) as plain:
            archive = _Archive(plain)
            if not archive.found:
                raise Fault("unexpected EOF")
            for config, layers, tags in _described(archive):
                yield from _take(images, archive, config, layers, tags)
    except (LayerFault, EOFError, OSError, tarfile.TarError) as error:
        raise Fault("unexpected EOF" if "invalid tar header" in str(error) else str(error)) from None


@contextmanager
def _plain(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Give the archive without compression, so that one can go to any place of it."""
    opened = decompressed(file)
    if opened is file:
        yield file
        return
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryFile() as beside:
        shutil.copyfileobj(opened, beside, BLOCK)
        beside.seek(0)
        yield beside


def _described(archive: _Archive) -> Iterator[tuple[str, list[str], list[str]]]:
    """Give the images of an archive: where the configuration and the layers are, and their names."""
    if "manifest.json" in archive.found:
        for entry in archive.json("manifest.json"):
            yield entry["Config"], entry["Layers"], entry.get("RepoTags") or []
    elif "index.json" in archive.found:
        for entry in archive.json("index.json").get("manifests") or []:
            yield from _of_index(archive, entry)
    else:
        raise Fault("invalid archive: does not contain a manifest.json")


def _of_index(archive: _Archive, entry: Record) -> Iterator[tuple[str, list[str], list[str]]]:
    document = archive.json(_blob(entry["digest"]))
    for inner in document.get("manifests") or []:
        if (inner.get("platform") or {}).get("os") in ("linux", None):
            yield from _of_index(archive, {**entry, **inner})
    if "config" in document:
        notes = entry.get("annotations") or {}
        name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name") or ""
        layers = [_blob(layer["digest"]) for layer in document.get("layers") or []]
        yield _blob(document["config"]["digest"]), layers, [name] if name else []


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _take(images: Images, archive: _Archive, config: str, layers: list[str], tags: list[str]) -> Iterator[str]:
    data = archive.read(config)
    try:
        wanted = list((json.loads(data).get("rootfs") or {}).get("diff_ids") or [])
    except (ValueError, AttributeError):
        raise BadParameter(f"invalid archive: {config} is no configuration of an image") from None
    if len(wanted) != len(layers):
        raise BadParameter(f"invalid manifest, layers length mismatch: expected {len(layers)}, got {len(wanted)}")
    with images.hold_layers() as held:
        for number, (name, diff_id) in enumerate(zip(layers, wanted, strict=True)):
            held.add(diff_id)
            if not images.layers.has(diff_id):
                found = images.layers.add(archive.blocks(name), held).diff_id
                if found != diff_id:
                    raise BadParameter(f'invalid diffID for layer {number}: expected "{diff_id}", got "{found}"')
        names = [familiar(tag) for tag in tags]
        image = images.register(data, tags=names)
    images.record_event("load", image, image.id)
    for name in names:
        yield f"Loaded image: {name}\n"
    if not names:
        yield f"Loaded image ID: {image.id}\n"
