"""COPY and ADD: which files go where, their digest for the cache, and the layer that they become."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from dockerlab.engine.build.fetch import NAMELESS
from dockerlab.engine.build.patterns import has_wildcards, segment_regex
from dockerlab.engine.common.cancellable_threads import check_cancelled
from dockerlab.engine.common.tree import MAX_PATH, PATH_ONLY, OpenTree, reopen
from dockerlab.engine.faults import Fault
from dockerlab.engine.storage import tar_writer
from dockerlab.engine.storage.compression import decompressed
from dockerlab.engine.storage.file_content import stored_areas
from dockerlab.engine.storage.tar_reader import (
    LayerFault,
    content_blocks,
    iterate_members,
    open_untrusted,
)
from dockerlab.engine.storage.tree_walk import walk

__all__ = ["Copy", "CopyFault", "Source"]

BLOCK_BYTES = 1 << 20
END_OF_TAR = b"\0" * tarfile.BLOCKSIZE * 2


class CopyFault(Fault):
    """A COPY or ADD that can't be carried out."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file or directory to copy."""

    root: str  #: the directory on this machine whose tree contains it
    path: str  #: within that tree, as the Dockerfile names it
    is_download: bool = False  #: ADD doesn't unpack a downloaded archive


class _File(NamedTuple):
    """One file or directory of the sources, and where it goes."""

    place: int  #: an open place, which is only valid until the next file
    path: str  #: in the image
    is_download: bool


@dataclass(slots=True)
class Copy:
    """One COPY or ADD, from its arguments to the layer that it becomes."""

    keyword: str  #: COPY or ADD
    source_root: str  #: where the sources are: the context, or the file tree of another image
    target: str  #: the absolute path in the image; a slash at the end marks a directory
    image_root: str  #: the file tree of the image that the files are copied into
    owner: tuple[int, int] = (0, 0)
    keeps_owner: bool = False
    is_ignored: Callable[[str], bool] = field(default=lambda path: False)
    sources: list[Source] = field(default_factory=list)

    def find_sources(self, patterns: list[str], downloads: dict[str, Path]) -> None:
        """Fill in the sources that the arguments name. Raises CopyFault."""
        for pattern in patterns:
            if pattern in downloads:
                self.sources.append(self._downloaded_source(pattern, downloads[pattern]))
                continue
            path = "/".join(part for part in pattern.split("/") if part not in ("", "."))
            if ".." in path.split("/"):
                raise CopyFault(f"{self.keyword} failed: forbidden path outside the build context: {pattern} ()")
            matches = self._expand_wildcards(path) if has_wildcards(path) else [path]
            if not matches:
                raise CopyFault(f"{self.keyword} failed: no source files were specified")
            self.sources += [self._context_source(pattern, match) for match in matches]
        if len(self.sources) > 1 and not self.target.endswith("/"):
            raise CopyFault(
                f"When using {self.keyword} with more than one source file, the destination must be a directory and "
                "end with a /"
            )

    def _downloaded_source(self, url: str, path: Path) -> Source:
        with OpenTree(self.image_root) as image:
            if path.name == NAMELESS and self._target_is_directory(image):
                raise CopyFault(f"ADD failed: cannot determine filename for source {url}")
        return Source(str(path.parent), path.name, is_download=True)

    def _context_source(self, pattern: str, path: str) -> Source:
        with OpenTree(self.source_root) as tree:
            exists = tree.exists(path)
        if not exists or (path and self.is_ignored(path)):
            raise CopyFault(
                f"{self.keyword} failed: file not found in build context or excluded by .dockerignore: "
                f"stat {pattern}: file does not exist"
            )
        return Source(self.source_root, path)

    def _expand_wildcards(self, pattern: str) -> list[str]:
        """Return the paths that match a pattern, searching one directory level at a time."""
        matches = [""]
        with OpenTree(self.source_root) as tree:
            for segment in pattern.split("/"):
                regex = re.compile(segment_regex(segment))
                deeper: list[str] = []
                for path in matches:
                    names = (name for name in _names(tree, path) if regex.fullmatch(name))
                    deeper += [f"{path}/{name}".lstrip("/") for name in names]
                matches = deeper
        return [path for path in matches if not self.is_ignored(path)]

    # -- where files go ----------------------------------------------------------------------------------------

    def _files(self, image: OpenTree) -> Iterator[_File]:
        """Yield every file and directory. Raises CopyFault if there is no space for them."""
        target = _plain_target(image, self.target)
        space = os.fstatvfs(image.root)
        free_bytes = space.f_bavail * space.f_frsize
        for source in self.sources:
            with OpenTree(source.root) as tree, _closing(tree.open(source.path)) as place:
                for file in self._files_of(source, place, target, self._target_is_directory(image)):
                    info = os.fstat(file.place)
                    # Docker needs this space even for the holes of a sparse file.
                    free_bytes -= info.st_size if stat.S_ISREG(info.st_mode) else 0
                    if free_bytes < 0:
                        raise CopyFault(f"{self.keyword} failed: no space left on device")
                    yield file

    def _files_of(self, source: Source, place: int, target: str, target_is_directory: bool) -> Iterator[_File]:
        if not _is_directory(place):
            name = source.path.rpartition("/")[2]
            yield _File(place, f"{target}/{name}".lstrip("/") if target_is_directory else target, source.is_download)
            return
        with _closing(reopen(place, os.O_RDONLY)) as top:
            for entry in walk(top):
                if not self.is_ignored(f"{source.path}/{entry.path}".lstrip("/")):
                    with _closing(os.open(entry.name, PATH_ONLY, dir_fd=entry.directory)) as child:
                        yield _File(child, f"{target}/{entry.path}".lstrip("/"), False)

    def _target_is_directory(self, image: OpenTree) -> bool:
        return self.target.endswith("/") or image.is_directory(self.target)

    # -- the digest for the cache ------------------------------------------------------------------------------

    def digest(self) -> str:
        """Return `file:…`, `dir:…` or `multi:…`, which depends on the content and not on when it was written."""
        total = hashlib.sha256()
        with OpenTree(self.image_root) as image:
            for file in self._files(image):
                info = os.fstat(file.place)
                total.update(f"{file.path}\0{info.st_mode:o}\0".encode("utf-8", "surrogateescape"))
                if stat.S_ISLNK(info.st_mode):
                    total.update(os.fsencode(os.readlink("", dir_fd=file.place)))
                elif stat.S_ISREG(info.st_mode):
                    with os.fdopen(reopen(file.place, os.O_RDONLY), "rb") as content:
                        for start, end in stored_areas(content.fileno(), info):
                            total.update(f"{start}-{end} of {info.st_size}\0".encode())
                            _update(total.update, content, start, end)
        kind = "multi" if len(self.sources) > 1 else "dir" if _source_is_directory(self.sources[0]) else "file"
        return f"{kind}:{total.hexdigest()}"

    # -- the layer ---------------------------------------------------------------------------------------------

    def layer(self) -> Iterator[bytes]:
        """Yield the layer as a tar: the missing parent directories and the files."""
        written: set[str] = set()
        has_directory = any(map(_source_is_directory, self.sources))
        with OpenTree(self.image_root) as image:
            into_directory = self._target_is_directory(image) or has_directory
            if into_directory:
                yield from self._missing_parents(image, f"{_plain_target(image, self.target)}/", written)
            for file in self._files(image):
                yield from self._missing_parents(image, file.path, written)
                if not file.is_download and self._is_archive_to_unpack(file.place):
                    target = file.path.rpartition("/")[0] if into_directory else file.path
                    yield from self._archive_members(image, file.place, target, written)
                else:
                    yield from self._file_member(image, file)
                if _is_directory(file.place):
                    written.add(file.path)
        yield END_OF_TAR

    def _is_archive_to_unpack(self, place: int) -> bool:
        if self.keyword != "ADD" or not stat.S_ISREG(os.fstat(place).st_mode):
            return False
        try:
            with os.fdopen(reopen(place, os.O_RDONLY), "rb") as file:
                header = decompressed(file).read(tarfile.BLOCKSIZE)
                tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except (OSError, EOFError, tarfile.TarError):
            return False
        return any(header)

    def _missing_parents(self, image: OpenTree, path: str, written: set[str]) -> Iterator[bytes]:
        parts = path.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            name = "/".join(parts[:count])
            if name and name not in written and not image.is_directory(name):
                member = tarfile.TarInfo(f"{name}/")
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                member.uid, member.gid = (0, 0) if self.keeps_owner else self.owner
                yield member.tobuf(tarfile.PAX_FORMAT)
            written.add(name)

    def _file_member(self, image: OpenTree, file: _File) -> Iterator[bytes]:
        member = tar_writer.member_header(file.path, file.place, {}, os.getuid())
        if member is None or (member.isdir() and image.is_directory(file.path)):
            return
        if not self.keeps_owner:
            member.uid, member.gid = self.owner
            member.uname = member.gname = ""
        yield member.tobuf(tarfile.PAX_FORMAT)
        if member.isreg():
            with _closing(reopen(file.place, os.O_RDONLY)) as content:
                yield from tar_writer.file_blocks(content, member.size)

    def _archive_members(self, image: OpenTree, place: int, target: str, written: set[str]) -> Iterator[bytes]:
        """Yield the members of an archive, moved below a directory of the image. Raises CopyFault."""
        try:
            with os.fdopen(reopen(place, os.O_RDONLY), "rb") as file, open_untrusted(decompressed(file)) as tar:
                for member in iterate_members(tar):
                    name = os.path.normpath(f"/{member.name}").strip("/")
                    if not name or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                        continue
                    member.name = f"{target}/{name}".lstrip("/")
                    if len(os.fsencode(member.name)) > MAX_PATH:
                        raise CopyFault(f"{self.keyword} failed: {os.strerror(errno.ENAMETOOLONG).lower()}")
                    if member.islnk():
                        member.linkname = f"{target}/{os.path.normpath(f'/{member.linkname}').strip('/')}".lstrip("/")
                    yield from self._missing_parents(image, member.name, written)
                    yield from self._moved_member(tar, member)
        except (tarfile.TarError, LayerFault, ValueError, OverflowError) as error:
            raise CopyFault(f"{self.keyword} failed: {error}") from None

    def _moved_member(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
        if member.isreg():
            space = os.statvfs(self.image_root)
            if member.size > space.f_bavail * space.f_frsize:
                raise CopyFault(f"{self.keyword} failed: no space left on device")
            member.type = tarfile.REGTYPE  # the holes of a sparse file are written out
        member.pax_headers = {}
        yield member.tobuf(tarfile.PAX_FORMAT)
        if member.isreg():
            yield from content_blocks(tar, member)
            yield b"\0" * (-member.size % tarfile.BLOCKSIZE)


def _plain_target(image: OpenTree, path: str) -> str:
    """Return a target without a slash in front, with the symbolic links of the image followed."""
    return image.resolve(path).strip("/")


def _is_directory(place: int) -> bool:
    return stat.S_ISDIR(os.fstat(place).st_mode)


def _update(update: Callable[[bytes], None], file: IO[bytes], start: int, end: int) -> None:
    """Add a part of a file to a digest."""
    file.seek(start)
    while start < end and (block := file.read(min(BLOCK_BYTES, end - start))):
        check_cancelled()
        update(block)
        start += len(block)


def _source_is_directory(source: Source) -> bool:
    with OpenTree(source.root) as tree:
        return tree.is_directory(source.path)


def _names(tree: OpenTree, path: str) -> list[str]:
    """Return the names in a directory of a tree; none if it is no directory."""
    try:
        with _closing(tree.open(path)) as place:
            if not _is_directory(place):
                return []
            with _closing(reopen(place, os.O_RDONLY)) as directory:
                return sorted(os.listdir(directory))  # noqa: PTH208
    except OSError:
        return []


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
