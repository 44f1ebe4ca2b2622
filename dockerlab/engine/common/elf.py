"""Reads what an ELF program needs: its loader and its libraries. Nothing is run, as ldd would."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Needs", "needs"]

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 0, 1, 5, 15, 29
MAGIC_64 = b"\x7fELF\x02"


@dataclass(frozen=True, slots=True)
class Needs:
    """The loader's path, the libraries' names, and the directories to look for them in first."""

    loader: str
    libraries: tuple[str, ...]
    paths: tuple[str, ...]


def needs(program: Path) -> Needs | None:
    """Give what a 64-bit ELF file needs; None for every other file."""
    data = program.read_bytes()
    if data[:5] != MAGIC_64:
        return None
    order = "<" if data[5] == 1 else ">"
    start = struct.unpack_from(f"{order}Q", data, 32)[0]
    size, count = struct.unpack_from(f"{order}HH", data, 54)
    headers = []
    for at in range(start, start + size * count, size):
        kind, _, offset, address, _, length = struct.unpack_from(f"{order}IIQQQQ", data, at)
        headers.append((kind, offset, address, length))
    loader = next((_text(data, offset) for kind, offset, _, _ in headers if kind == PT_INTERP), "")
    dynamic = next(((offset, length) for kind, offset, _, length in headers if kind == PT_DYNAMIC), None)
    if dynamic is None:
        return Needs(loader, (), ())
    entries = list(struct.iter_unpack(f"{order}qQ", data[dynamic[0] : dynamic[0] + dynamic[1] // 16 * 16]))
    entries = entries[: next((place for place, (tag, _) in enumerate(entries) if tag == DT_NULL), len(entries))]
    table = next((value for tag, value in entries if tag == DT_STRTAB), 0)
    names = _place(headers, table)
    libraries = tuple(_text(data, names + value) for tag, value in entries if tag == DT_NEEDED)
    paths = [_text(data, names + value) for tag, value in entries if tag in (DT_RPATH, DT_RUNPATH)]
    origin = str(program.parent)
    found = [part.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for path in paths for part in path.split(":")]
    return Needs(loader, libraries, tuple(found))


def _place(headers: list[tuple[int, int, int, int]], address: int) -> int:
    """Turn an address in memory into a place in the file."""
    for kind, offset, begin, length in headers:
        if kind == PT_LOAD and begin <= address < begin + length:
            return address - begin + offset
    return address


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "replace")
