"""Headers that a simple pattern needs many minutes for: its time grows with the square of their length."""

from __future__ import annotations

import pytest

from dockerlab.engine.common.network_errors import OBJECTS
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.bodies import read
from dockerlab.engine.images.registry import CHALLENGE_PARAMETER
from dockerlab.protocol.operations import OPERATIONS

LENGTH = 300_000


@pytest.mark.parametrize("part", [" ", "\t", "; a=b", ";a=", '"', "; a=b ", ";"])
@pytest.mark.parametrize("start", ["application/json", "a/b; c=d"])
def test_a_content_type(start: str, part: str) -> None:
    with pytest.raises(BadParameter, match="malformed Content-Type header"):
        read(OPERATIONS["VolumeCreate"], start + part * (LENGTH // len(part)) + ";;", b"{}")


@pytest.mark.parametrize("text", ["a" * LENGTH, 'a="' * (LENGTH // 3), "=" * LENGTH])
def test_the_challenge_of_a_registry(text: str) -> None:
    assert dict(CHALLENGE_PARAMETER.findall(f'realm="http://x/y",{text},service="z"')).get("realm") == "http://x/y"


@pytest.mark.parametrize("text", ["<" * LENGTH, "HTTPConnection(" * (LENGTH // 15), "HTTPConnection" + "a" * LENGTH])
def test_a_message_of_a_server(text: str) -> None:
    assert OBJECTS.sub("", f"<object>: {text}") == text
