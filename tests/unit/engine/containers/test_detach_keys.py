"""The keys that detach a client from a container."""

from __future__ import annotations

import pytest

from dockerlab.engine.containers.attach import parse_detach_keys
from dockerlab.engine.faults import BadParameter


@pytest.mark.parametrize(
    ("text", "keys"), [("", b"\x10\x11"), ("ctrl-x", b"\x18"), ("a,ctrl-@", b"a\0"), ("ctrl-[", b"\x1b")]
)
def test_detach_keys_are_parsed(text: str, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "word", "a,,b"])
def test_invalid_detach_keys(text: str) -> None:
    with pytest.raises(BadParameter, match="Invalid detach keys"):
        parse_detach_keys(text)
