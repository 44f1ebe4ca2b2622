"""The DNS server of networks: names and addresses of containers, and malformed questions."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from dockerlab.engine.networks import dns


def question(name: str, kind: int = 1) -> bytes:
    parts = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + parts + b"\0" + struct.pack(">HH", kind, 1)


def test_the_name_of_a_container_has_its_addresses() -> None:
    response = dns.answer(question("Web"), {"web": ["10.0.0.2", "10.0.0.3"]})
    number, flags, _, answers, _, _ = struct.unpack_from(">HHHHHH", response)
    assert (number, flags & 0x8000, flags & 15, answers) == (7, 0x8000, 0, 2)
    assert response.endswith(bytes([10, 0, 0, 3]))


def test_an_unknown_name_does_not_exist_and_a_known_one_has_no_ipv6() -> None:
    flags = struct.unpack_from(">HH", dns.answer(question("other"), {"web": ["10.0.0.2"]}))[1]
    assert flags & 15 == dns.NO_SUCH_NAME
    _, flags, _, answers = struct.unpack_from(">HHHH", dns.answer(question("web", 28), {"web": ["10.0.0.2"]}))
    assert (flags & 15, answers) == (0, 0)


def test_an_address_has_a_name() -> None:
    response = dns.answer(question("2.0.0.10.in-addr.arpa", 12), {"web": ["10.0.0.2"]})
    assert response.endswith(b"\x03web\0")


@given(st.binary(max_size=80))
def test_malformed_questions_are_refused(data: bytes) -> None:
    try:
        dns.answer(data, {"web": ["10.0.0.2"]})
    except (ValueError, IndexError, struct.error):
        return
