"""Answers questions for names as DNS does: what is known is told, everything else doesn't exist. With few imports."""

from __future__ import annotations

import socket
import struct

ADDRESS, PORT = "127.0.0.11", 53
HEADER = struct.Struct(">HHHHHH")
A, PTR, ANY, INTERNET = 1, 12, 255, 1
ANSWER, RECURSION, NO_SUCH_NAME = 0x8000, 0x0180, 3
SECONDS = 600
REVERSE = ".in-addr.arpa"
Table = dict[str, list[str]]


def answer(question: bytes, table: Table) -> bytes:
    """Give the answer to a question. Raises ValueError, IndexError or struct.error for what is no question."""
    number, flags, count, _, _, _ = HEADER.unpack_from(question)
    if count != 1 or flags & ANSWER:
        raise ValueError("not one question")
    name, end = _name(question, HEADER.size)
    kind, family = struct.unpack_from(">HH", question, end)
    found: list[bytes] = []
    known = name.lower() in table
    if known and kind in (A, ANY) and family == INTERNET:
        found = [_record(A, socket.inet_aton(address)) for address in table[name.lower()]]
    elif name.lower().endswith(REVERSE) and kind == PTR:
        address = ".".join(reversed(name.lower().removesuffix(REVERSE).split(".")))
        found = [_record(PTR, _written(one)) for one, addresses in table.items() if address in addresses][:1]
        known = bool(found)
    code = 0 if known else NO_SUCH_NAME
    head = HEADER.pack(number, ANSWER | RECURSION | (flags & 0x0100) | code, 1, len(found), 0, 0)
    return head + question[HEADER.size : end + 4] + b"".join(found)


def _name(data: bytes, place: int) -> tuple[str, int]:
    """Read a name; give where it ends, too."""
    parts = []
    while length := data[place]:
        if length > 63:  # noqa: PLR2004  (a pointer has no place in a question)
            raise ValueError("a name is too long")
        parts.append(data[place + 1 : place + 1 + length].decode("ascii", "replace"))
        place += 1 + length
    return ".".join(parts), place + 1


def _written(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack(">HHHIH", 0xC00C, kind, INTERNET, SECONDS, len(data)) + data
