"""Finds programs of this machine: a static busybox, and the loader and libraries that an ELF program needs.

The base image is made from them, and so is the shell of the rung `proot`. The libraries are read from the file. Unlike
ldd, this runs nothing.
"""

from __future__ import annotations

import os
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ElfDependencies", "elf_dependencies", "find_busybox"]

BUSYBOX_PATHS = ("/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox", "/bin/busybox.static", "/sbin/busybox")
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 0, 1, 5, 15, 29
MAGIC_64 = b"\x7fELF\x02"


def find_busybox() -> str:
    """Return the path of a static busybox, or an empty text. DOCKERLAB_BUSYBOX names another path, or `none`."""
    configured = os.environ.get("DOCKERLAB_BUSYBOX", "")
    if configured:
        return "" if configured == "none" else configured
    for path in (shutil.which("busybox"), *BUSYBOX_PATHS):
        dependencies = elf_dependencies(Path(path)) if path and Path(path).is_file() else None
        if path and dependencies is not None and not dependencies.loader:
            return path
    return ""


@dataclass(frozen=True, slots=True)
class ElfDependencies:
    """The path of the loader, the names of the libraries, and the directories in which to look for them first."""

    loader: str
    libraries: tuple[str, ...]
    directories: tuple[str, ...]


def elf_dependencies(program: Path) -> ElfDependencies | None:
    """Return what a 64-bit ELF file needs; None for any other file."""
    data = program.read_bytes()
    if data[:5] != MAGIC_64:
        return None
    order = "<" if data[5] == 1 else ">"
    headers = _program_headers(data, order)
    loader = next((_text(data, offset) for kind, offset, _, _ in headers if kind == PT_INTERP), "")
    dynamic = next(((offset, length) for kind, offset, _, length in headers if kind == PT_DYNAMIC), None)
    if dynamic is None:
        return ElfDependencies(loader, (), ())
    entries = list(struct.iter_unpack(f"{order}qQ", data[dynamic[0] : dynamic[0] + dynamic[1] // 16 * 16]))
    entries = entries[: next((number for number, (tag, _) in enumerate(entries) if tag == DT_NULL), len(entries))]
    table = _file_offset(headers, next((value for tag, value in entries if tag == DT_STRTAB), 0))
    libraries = tuple(_text(data, table + value) for tag, value in entries if tag == DT_NEEDED)
    lists = [_text(data, table + value) for tag, value in entries if tag in (DT_RPATH, DT_RUNPATH)]
    origin = str(program.parent)
    directories = [
        directory.replace("$ORIGIN", origin).replace("${ORIGIN}", origin)
        for text in lists
        for directory in text.split(":")
    ]
    return ElfDependencies(loader, libraries, tuple(directories))


def _program_headers(data: bytes, order: str) -> list[tuple[int, int, int, int]]:
    """Return type, offset in the file, address in memory and length in the file of each segment."""
    start = struct.unpack_from(f"{order}Q", data, 32)[0]
    size, count = struct.unpack_from(f"{order}HH", data, 54)
    headers = []
    for position in range(start, start + size * count, size):
        kind, _, offset, address, _, length = struct.unpack_from(f"{order}IIQQQQ", data, position)
        headers.append((kind, offset, address, length))
    return headers


def _file_offset(headers: list[tuple[int, int, int, int]], address: int) -> int:
    """Return where in the file an address in memory is loaded from."""
    for kind, offset, begin, length in headers:
        if kind == PT_LOAD and begin <= address < begin + length:
            return address - begin + offset
    return address


def _text(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode("utf-8", "replace")
