"""Small parts of the practice engine by themselves: what it leaves out, its DNS, paths inside, detach keys."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.engine.api import HANDLERS, LEFT_OUT
from dockerlab.engine.common.paths import resolve_in_root
from dockerlab.engine.containers.attach import parse_detach_keys
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.networks import dns
from dockerlab.protocol.operations import NEWEST, OPERATIONS, version_number

FAMILIES = ("Swarm", "Node", "Service", "Task", "Secret", "Config", "Plugin", "GetPlugin", "Session", "VolumeUpdate")


def test_every_operation_is_served_or_left_out_with_a_reason() -> None:
    spoken = {name for name, row in OPERATIONS.items() if version_number(row.since) <= version_number(NEWEST)}
    assert set(HANDLERS) | set(LEFT_OUT) == spoken
    assert not set(HANDLERS) & set(LEFT_OUT)


def test_only_swarm_plugins_and_buildkit_are_left_out() -> None:
    assert [name for name in LEFT_OUT if not name.startswith(FAMILIES)] == []


def question(name: str, kind: int = 1) -> bytes:
    parts = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + parts + b"\0" + struct.pack(">HH", kind, 1)


def test_a_known_name_has_its_addresses() -> None:
    told = dns.answer(question("Web"), {"web": ["10.0.0.2", "10.0.0.3"]})
    number, flags, _, answers, _, _ = struct.unpack_from(">HHHHHH", told)
    assert (number, flags & 0x8000, flags & 15, answers) == (7, 0x8000, 0, 2)
    assert told.endswith(bytes([10, 0, 0, 3]))


def test_an_unknown_name_does_not_exist_and_a_known_one_has_no_ipv6() -> None:
    flags = struct.unpack_from(">HH", dns.answer(question("other"), {"web": ["10.0.0.2"]}))[1]
    assert flags & 15 == dns.NO_SUCH_NAME
    _, flags, _, answers = struct.unpack_from(">HHHH", dns.answer(question("web", 28), {"web": ["10.0.0.2"]}))
    assert (flags & 15, answers) == (0, 0)


def test_an_address_has_a_name() -> None:
    told = dns.answer(question("2.0.0.10.in-addr.arpa", 12), {"web": ["10.0.0.2"]})
    assert told.endswith(b"\x03web\0")


@given(st.binary(max_size=80))
def test_rubbish_is_no_question(data: bytes) -> None:
    try:
        dns.answer(data, {"web": ["10.0.0.2"]})
    except (ValueError, IndexError, struct.error):
        return


def test_links_are_followed_inside(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "way").symlink_to("/etc")
    (tmp_path / "up").symlink_to("../../../../etc")
    (tmp_path / "round").symlink_to("round")
    root = str(tmp_path)
    assert resolve_in_root(root, "/way/passwd") == f"{root}/etc/passwd"
    assert resolve_in_root(root, "/up/passwd") == f"{root}/etc/passwd"
    assert resolve_in_root(root, "/../../x") == f"{root}/x"
    assert resolve_in_root(root, "/way", follow=False) == f"{root}/way"
    assert resolve_in_root(root, "/way/a", mounts={"/etc": "/elsewhere"}) == "/elsewhere/a"
    with pytest.raises(OSError, match="too many levels"):
        resolve_in_root(root, "/round/x")


@pytest.mark.parametrize(
    ("text", "keys"), [("", b"\x10\x11"), ("ctrl-x", b"\x18"), ("a,ctrl-@", b"a\0"), ("ctrl-[", b"\x1b")]
)
def test_keys_that_detach(text: str, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "word", "a,,b"])
def test_keys_that_are_none(text: str) -> None:
    with pytest.raises(BadParameter, match="Invalid detach keys"):
        parse_detach_keys(text)
