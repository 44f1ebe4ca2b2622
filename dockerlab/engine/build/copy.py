"""COPY and ADD: which files go where, what they are worth (for the cache), and the layer that they make."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dockerlab.engine.build.downloads import NAMELESS
from dockerlab.engine.common.paths import inside
from dockerlab.engine.containers.copy_files import decompressed
from dockerlab.engine.faults import Fault
from dockerlab.engine.storage import tar_writer

__all__ = ["Copy", "CopyFault", "Source"]

BLOCK = 1 << 20
WILD = re.compile(r"[*?\[\\]")
END = b"\0" * tarfile.BLOCKSIZE * 2
Ignored = Callable[[str], bool]


class CopyFault(Fault):
    """Something can't be copied."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file or directory: its place on this machine, and its path as the Dockerfile means it."""

    place: str
    path: str
    fetched: bool = False  #: such a file is never unpacked


@dataclass(slots=True)
class Copy:
    """One COPY or ADD, ready to be made into a layer."""

    word: str  #: COPY or ADD
    root: str  #: where sources are: the context, or the tree of another image
    target: str  #: the absolute path in the image; with a slash at the end it is a directory
    tree: str  #: of the image that it is copied into
    owner: tuple[int, int] = (0, 0)
    keeps_owner: bool = False
    ignored: Ignored = field(default=lambda path: False)
    sources: list[Source] = field(default_factory=list)

    def find(self, patterns: list[str], fetched: dict[str, Path]) -> None:
        """Look for the sources, of which some were fetched. Raises CopyFault."""
        for pattern in patterns:
            if pattern in fetched:
                self.sources.append(self._fetched(pattern, fetched[pattern]))
                continue
            plain = "/".join(part for part in pattern.split("/") if part not in ("", "."))
            if ".." in plain.split("/"):
                raise CopyFault(f"{self.word} failed: forbidden path outside the build context: {pattern} ()")
            found = self._wild(plain) if WILD.search(plain) else [plain]
            for path in found:
                place = inside(self.root, path)
                if not os.path.lexists(place) or (path and self.ignored(path)):
                    raise CopyFault(
                        f"{self.word} failed: file not found in build context or excluded by .dockerignore: "
                        f"stat {pattern}: file does not exist"
                    )
                self.sources.append(Source(place, path))
            if not found:
                raise CopyFault(f"{self.word} failed: no source files were specified")
        many = len(self.sources) > 1
        if many and not self.target.endswith("/"):
            raise CopyFault(
                f"When using {self.word} with more than one source file, the destination must be a directory and end "
                "with a /"
            )

    def _fetched(self, url: str, place: Path) -> Source:
        if place.name == NAMELESS and self._into_directory():
            raise CopyFault(f"ADD failed: cannot determine filename for source {url}")
        return Source(str(place), place.name, fetched=True)

    def _wild(self, pattern: str) -> list[str]:
        """Find what a pattern with wildcards fits, level by level."""
        found = [""]
        for part in pattern.split("/"):
            rule, more = re.compile(_rule(part)), []
            for path in found:
                place = inside(self.root, path)
                names = sorted(os.listdir(place)) if os.path.isdir(place) else []  # noqa: PTH112, PTH208
                more += [f"{path}/{name}".lstrip("/") for name in names if rule.fullmatch(name)]
            found = more
        return [path for path in found if not self.ignored(path)]

    # -- what goes where ---------------------------------------------------------------------------------------

    def files(self) -> Iterator[tuple[str, str]]:
        """Give every file and directory: its place on this machine, and its path in the image."""
        target = self._target()
        for source in self.sources:
            if os.path.isdir(source.place):  # noqa: PTH112
                yield from self._below(source.place, source.path, target)
            elif self._into_directory():
                yield source.place, f"{target}/{source.path.rpartition('/')[2]}".lstrip("/")
            else:
                yield source.place, target

    def _target(self) -> str:
        """Give the path in the image where it goes, links followed as the image has them."""
        return inside(self.tree, self.target).removeprefix(self.tree).strip("/")

    def _into_directory(self) -> bool:
        return self.target.endswith("/") or os.path.isdir(inside(self.tree, self.target))  # noqa: PTH112

    def _below(self, place: str, path: str, target: str) -> Iterator[tuple[str, str]]:
        for name in sorted(os.listdir(place)):  # noqa: PTH208
            inner, there = f"{path}/{name}".lstrip("/"), f"{place}/{name}"
            goes_to = f"{target}/{name}".lstrip("/")
            directory = os.path.isdir(there) and not os.path.islink(there)  # noqa: PTH112, PTH114
            if not self.ignored(inner):
                yield there, goes_to
            if directory:
                yield from self._below(there, inner, goes_to)

    def _archive(self, place: str) -> bool:
        """Is it one that ADD unpacks?"""
        if self.word != "ADD" or not os.path.isfile(place):  # noqa: PTH113
            return False
        try:
            with Path(place).open("rb") as file:
                opened = decompressed(file)
                block = opened.read(tarfile.BLOCKSIZE)
                tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (OSError, EOFError, tarfile.TarError):
            return False
        return any(block)

    # -- what it is worth --------------------------------------------------------------------------------------

    def digest(self) -> str:
        """Give `file:…`, `dir:…` or `multi:…`: the same for the same content, whenever it was written."""
        whole = hashlib.sha256()
        for place, path in self.files():
            info = os.lstat(place)
            whole.update(f"{path}\0{info.st_mode:o}\0".encode("utf-8", "surrogateescape"))
            if stat.S_ISLNK(info.st_mode):
                whole.update(os.fsencode(os.readlink(place)))  # noqa: PTH115
            elif stat.S_ISREG(info.st_mode):
                with Path(place).open("rb") as file:
                    while block := file.read(BLOCK):
                        whole.update(block)
        kind = "multi" if len(self.sources) > 1 else "dir" if os.path.isdir(self.sources[0].place) else "file"  # noqa: PTH112
        return f"{kind}:{whole.hexdigest()}"

    # -- the layer ---------------------------------------------------------------------------------------------

    def layer(self) -> Iterator[bytes]:
        """Write the layer: directories that aren't there yet, and the files."""
        made: set[str] = set()
        fetched = {source.place for source in self.sources if source.fetched}
        into = self._into_directory() or any(os.path.isdir(source.place) for source in self.sources)  # noqa: PTH112
        if into:
            yield from self._directories(f"{self._target()}/", made)
        for place, path in self.files():
            yield from self._directories(path, made)
            if place not in fetched and self._archive(place):
                yield from self._unpacked(place, path.rpartition("/")[0] if into else path, made)
                continue
            yield from self._one(place, path)
        yield END

    def _directories(self, path: str, made: set[str]) -> Iterator[bytes]:
        parts = path.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            name = "/".join(parts[:count])
            if name and name not in made and not os.path.isdir(f"{self.tree}/{name}"):  # noqa: PTH112
                member = tarfile.TarInfo(f"{name}/")
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                member.uid, member.gid = (0, 0) if self.keeps_owner else self.owner
                yield member.tobuf(tarfile.PAX_FORMAT)
            made.add(name)

    def _one(self, place: str, path: str) -> Iterator[bytes]:
        info = os.lstat(place)
        member = tar_writer.member(path, place, info, {}, os.getuid())
        if member is None or (member.isdir() and os.path.isdir(f"{self.tree}/{path}")):  # noqa: PTH112
            return
        if not self.keeps_owner:
            member.uid, member.gid = self.owner
            member.uname = member.gname = ""
        yield member.tobuf(tarfile.PAX_FORMAT)
        if member.isreg():
            with Path(place).open("rb") as file:
                yield from tar_writer.content(file.fileno(), member.size)

    def _unpacked(self, place: str, below: str, made: set[str]) -> Iterator[bytes]:
        """Give the members of an archive below a directory of the image."""
        with Path(place).open("rb") as file, tarfile.open(fileobj=decompressed(file), mode="r|") as tar:
            for member in tar:
                name = os.path.normpath(f"/{member.name}").strip("/")
                if not name or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                    continue
                member.name = f"{below}/{name}".lstrip("/")
                if member.islnk():
                    member.linkname = f"{below}/{os.path.normpath(f'/{member.linkname}').strip('/')}".lstrip("/")
                yield from self._directories(member.name, made)
                member.pax_headers = {}
                yield member.tobuf(tarfile.PAX_FORMAT)
                content = tar.extractfile(member) if member.isreg() else None
                while content and (block := content.read(BLOCK)):
                    yield block
                yield b"\0" * (-(member.size if member.isreg() else 0) % tarfile.BLOCKSIZE)


def _rule(part: str) -> str:
    """Write one part of a pattern, as Go's filepath.Match reads it, as a regular expression."""
    out, place = "", 0
    while place < len(part):
        character = part[place]
        place += 1
        if character == "*":
            out += "[^/]*"
        elif character == "?":
            out += "[^/]"
        elif character == "\\" and place < len(part):
            out += re.escape(part[place])
            place += 1
        elif character == "[" and "]" in part[place:]:
            end = part.index("]", place)
            out += f"[{part[place:end]}]"
            place = end + 1
        else:
            out += re.escape(character)
    return out
