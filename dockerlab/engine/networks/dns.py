"""A DNS server for one container: the names of its networks have addresses, and no other name exists.

The switch imports this module, so it imports little.
"""

from __future__ import annotations

import socket
import struct

ADDRESS, PORT = "127.0.0.11", 53
HEADER = struct.Struct(">HHHHHH")
TYPE_A, TYPE_PTR, TYPE_ANY, CLASS_INTERNET = 1, 12, 255, 1
RESPONSE, RECURSION_DESIRED, RECURSION_AVAILABLE, NO_SUCH_NAME = 0x8000, 0x0100, 0x0080, 3
RESPONSE_FLAGS = RESPONSE | RECURSION_DESIRED | RECURSION_AVAILABLE
TTL_SECONDS = 600
#: A compressed name: a pointer to the name in the question, which follows the header, see RFC 1035, section 4.1.4.
POINTER_TO_QUESTION = 0xC000 | HEADER.size
LABEL_BYTES = 63
REVERSE = ".in-addr.arpa"
Names = dict[str, list[str]]  #: name in lower case -> IPv4 addresses


def answer(query: bytes, names: Names) -> bytes:
    """Return the response to a query. Raises ValueError, IndexError or struct.error if it is not a valid query."""
    identity, flags, questions, _, _, _ = HEADER.unpack_from(query)
    if questions != 1 or flags & RESPONSE:
        raise ValueError("not one question")
    name, end = _read_name(query, HEADER.size)
    kind, family = struct.unpack_from(">HH", query, end)
    records: list[bytes] = []
    name = name.lower()
    exists = name in names
    if exists and kind in (TYPE_A, TYPE_ANY) and family == CLASS_INTERNET:
        records = [_record(TYPE_A, socket.inet_aton(address)) for address in names[name]]
    elif name.endswith(REVERSE) and kind == TYPE_PTR:
        address = ".".join(reversed(name.removesuffix(REVERSE).split(".")))
        records = [_record(TYPE_PTR, _encode_name(each)) for each, addresses in names.items() if address in addresses]
        records = records[:1]
        exists = bool(records)
    code = 0 if exists else NO_SUCH_NAME
    head = HEADER.pack(identity, RESPONSE_FLAGS | code, 1, len(records), 0, 0)
    return head + query[HEADER.size : end + 4] + b"".join(records)


def _read_name(data: bytes, position: int) -> tuple[str, int]:
    """Return the name at a position, and the position behind it."""
    labels = []
    while length := data[position]:
        if length > LABEL_BYTES:  # a longer one would be a pointer, which has no use in the first name of a message
            raise ValueError("a name is too long")
        labels.append(data[position + 1 : position + 1 + length].decode("ascii", "replace"))
        position += 1 + length
    return ".".join(labels), position + 1


def _encode_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack(">HHHIH", POINTER_TO_QUESTION, kind, CLASS_INTERNET, TTL_SECONDS, len(data)) + data
