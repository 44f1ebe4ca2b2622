"""COPY and ADD: which files go where, their digest for the cache, and the layer that they become."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dockerlab.engine.build.fetch import NAMELESS
from dockerlab.engine.build.patterns import has_wildcards, segment_regex
from dockerlab.engine.common.cancellable_threads import check_cancelled
from dockerlab.engine.common.paths import resolve_in_root
from dockerlab.engine.faults import Fault
from dockerlab.engine.storage import tar_writer
from dockerlab.engine.storage.compression import decompressed

__all__ = ["Copy", "CopyFault", "Source"]

BLOCK_BYTES = 1 << 20
END_OF_TAR = b"\0" * tarfile.BLOCKSIZE * 2


class CopyFault(Fault):
    """A COPY or ADD that can't be carried out."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file or directory to copy."""

    host_path: str
    path: str  #: within the context, as the Dockerfile names it
    is_download: bool = False  #: ADD doesn't unpack a downloaded archive


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
        if path.name == NAMELESS and self._target_is_directory():
            raise CopyFault(f"ADD failed: cannot determine filename for source {url}")
        return Source(str(path), path.name, is_download=True)

    def _context_source(self, pattern: str, path: str) -> Source:
        host_path = resolve_in_root(self.source_root, path)
        if not os.path.lexists(host_path) or (path and self.is_ignored(path)):
            raise CopyFault(
                f"{self.keyword} failed: file not found in build context or excluded by .dockerignore: "
                f"stat {pattern}: file does not exist"
            )
        return Source(host_path, path)

    def _expand_wildcards(self, pattern: str) -> list[str]:
        """Return the paths that match a pattern, searching one directory level at a time."""
        matches = [""]
        for segment in pattern.split("/"):
            regex = re.compile(segment_regex(segment))
            deeper: list[str] = []
            for path in matches:
                directory = resolve_in_root(self.source_root, path)
                names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []  # noqa: PTH112, PTH208
                deeper += [f"{path}/{name}".lstrip("/") for name in names if regex.fullmatch(name)]
            matches = deeper
        return [path for path in matches if not self.is_ignored(path)]

    # -- where files go ----------------------------------------------------------------------------------------

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield every file and directory: its path on the host, and its path in the image."""
        target = self._target_path()
        for source in self.sources:
            if os.path.isdir(source.host_path):  # noqa: PTH112
                yield from self._files_below(source.host_path, source.path, target)
            elif self._target_is_directory():
                yield source.host_path, f"{target}/{source.path.rpartition('/')[2]}".lstrip("/")
            else:
                yield source.host_path, target

    def _target_path(self) -> str:
        """Return the target without a slash in front, with the symbolic links of the image followed."""
        return resolve_in_root(self.image_root, self.target).removeprefix(self.image_root).strip("/")

    def _target_is_directory(self) -> bool:
        return self.target.endswith("/") or os.path.isdir(resolve_in_root(self.image_root, self.target))  # noqa: PTH112

    def _files_below(self, directory: str, path: str, target: str) -> Iterator[tuple[str, str]]:
        for name in sorted(os.listdir(directory)):  # noqa: PTH208
            host_path, context_path = f"{directory}/{name}", f"{path}/{name}".lstrip("/")
            image_path = f"{target}/{name}".lstrip("/")
            is_directory = os.path.isdir(host_path) and not os.path.islink(host_path)  # noqa: PTH112, PTH114
            if not self.is_ignored(context_path):
                yield host_path, image_path
            if is_directory:
                yield from self._files_below(host_path, context_path, image_path)

    # -- the digest for the cache ------------------------------------------------------------------------------

    def digest(self) -> str:
        """Return `file:…`, `dir:…` or `multi:…`, which depends on the content and not on when it was written."""
        total = hashlib.sha256()
        for host_path, image_path in self.files():
            info = os.lstat(host_path)
            total.update(f"{image_path}\0{info.st_mode:o}\0".encode("utf-8", "surrogateescape"))
            if stat.S_ISLNK(info.st_mode):
                total.update(os.fsencode(os.readlink(host_path)))  # noqa: PTH115
            elif stat.S_ISREG(info.st_mode):
                with Path(host_path).open("rb") as file:
                    while block := file.read(BLOCK_BYTES):
                        check_cancelled()
                        total.update(block)
        is_directory = os.path.isdir(self.sources[0].host_path)  # noqa: PTH112
        kind = "multi" if len(self.sources) > 1 else "dir" if is_directory else "file"
        return f"{kind}:{total.hexdigest()}"

    # -- the layer ---------------------------------------------------------------------------------------------

    def layer(self) -> Iterator[bytes]:
        """Yield the layer as a tar: the missing parent directories and the files."""
        written: set[str] = set()
        downloads = {source.host_path for source in self.sources if source.is_download}
        has_directory = any(os.path.isdir(source.host_path) for source in self.sources)  # noqa: PTH112
        into_directory = self._target_is_directory() or has_directory
        if into_directory:
            yield from self._missing_parents(f"{self._target_path()}/", written)
        for host_path, path in self.files():
            yield from self._missing_parents(path, written)
            if host_path not in downloads and self._is_archive_to_unpack(host_path):
                target = path.rpartition("/")[0] if into_directory else path
                yield from self._archive_members(host_path, target, written)
            else:
                yield from self._file_member(host_path, path)
        yield END_OF_TAR

    def _is_archive_to_unpack(self, host_path: str) -> bool:
        if self.keyword != "ADD" or not os.path.isfile(host_path):  # noqa: PTH113
            return False
        try:
            with Path(host_path).open("rb") as file:
                header = decompressed(file).read(tarfile.BLOCKSIZE)
                tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except (OSError, EOFError, tarfile.TarError):
            return False
        return any(header)

    def _missing_parents(self, path: str, written: set[str]) -> Iterator[bytes]:
        parts = path.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            name = "/".join(parts[:count])
            if name and name not in written and not os.path.isdir(f"{self.image_root}/{name}"):  # noqa: PTH112
                member = tarfile.TarInfo(f"{name}/")
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                member.uid, member.gid = (0, 0) if self.keeps_owner else self.owner
                yield member.tobuf(tarfile.PAX_FORMAT)
            written.add(name)

    def _file_member(self, host_path: str, path: str) -> Iterator[bytes]:
        info = os.lstat(host_path)
        member = tar_writer.member_header(path, host_path, info, {}, os.getuid())
        if member is None or (member.isdir() and os.path.isdir(f"{self.image_root}/{path}")):  # noqa: PTH112
            return
        if not self.keeps_owner:
            member.uid, member.gid = self.owner
            member.uname = member.gname = ""
        yield member.tobuf(tarfile.PAX_FORMAT)
        if member.isreg():
            with Path(host_path).open("rb") as file:
                yield from tar_writer.file_blocks(file.fileno(), member.size)

    def _archive_members(self, host_path: str, target: str, written: set[str]) -> Iterator[bytes]:
        """Yield the members of an archive, moved below a directory of the image."""
        with Path(host_path).open("rb") as file, tarfile.open(fileobj=decompressed(file), mode="r|") as tar:
            for member in tar:
                name = os.path.normpath(f"/{member.name}").strip("/")
                if not name or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                    continue
                member.name = f"{target}/{name}".lstrip("/")
                if member.islnk():
                    member.linkname = f"{target}/{os.path.normpath(f'/{member.linkname}').strip('/')}".lstrip("/")
                yield from self._missing_parents(member.name, written)
                member.pax_headers = {}
                yield member.tobuf(tarfile.PAX_FORMAT)
                content = tar.extractfile(member) if member.isreg() else None
                while content and (block := content.read(BLOCK_BYTES)):
                    yield block
                yield b"\0" * (-(member.size if member.isreg() else 0) % tarfile.BLOCKSIZE)
