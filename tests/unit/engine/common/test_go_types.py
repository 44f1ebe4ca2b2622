"""JSON is read as Go's decoder reads it: types, names of fields, numbers, and the messages."""

from __future__ import annotations

from typing import Any

import pytest

from dockerlab.engine.common.go_json import InvalidJson, loads
from dockerlab.engine.common.go_types import WrongType, decode, read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b'{"a":', "unexpected end of JSON input"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
        (b"[1 2]", "invalid character '2' after object key:value pair"),
        (b"NaN", "invalid character 'N' looking for beginning of value"),
        (b'{"a": -Infinity}', "invalid character 'I' in numeric literal"),
        (b"[" * 100_000, "exceeded max depth"),
        (b"{} x", "invalid character 'x' after top-level value"),
    ],
)
def test_texts_that_are_not_json(text: bytes, message: str) -> None:
    with pytest.raises(InvalidJson) as caught:
        loads(text)
    assert str(caught.value) == message


def test_what_follows_the_first_value_can_be_ignored() -> None:
    assert loads(b" [1] x", first_value_only=True) == [1]


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert loads(b'"a\xff"') == "a\ufffd"


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        ("container.Config", {"env": ["A=1"], "TTY": True, "unknown": 1}, {"Env": ["A=1"], "Tty": True}),
        ("container.Config", {"Cmd": "sh", "Labels": None}, {"Cmd": ["sh"]}),
        ("container.Config", {"Image": "a", "image": "b"}, {"Image": "a"}),
        ("container.Config", {"Labels": {"a": None}}, {"Labels": {"a": ""}}),
        ("container.HostConfig", {"ConsoleSize": [1]}, {"ConsoleSize": [1, 0]}),
        ("container.HostConfig", {"memory": 5, "PortBindings": {"80/tcp": None}}, None),
        ("network.CreateRequest", {"name": "n", "ipam": {"config": [None]}}, {"Name": "n", "IPAM": {"Config": [{}]}}),
        ("[]string", [None, "a"], ["", "a"]),
        ("container.Config", {"User": "\ud800"}, {"User": "\ufffd"}),
    ],
)
def test_values_as_go_stores_them(kind: str, value: Any, result: Any) -> None:
    expected = {"Memory": 5, "PortBindings": {"80/tcp": None}} if result is None else result
    assert decode(kind, value) == expected


@pytest.mark.parametrize("text", ["1.5", "1e3", "9223372036854775808", "9" * 5000, '"1"', "true", "{}"])
def test_what_is_not_an_integer(text: str) -> None:
    with pytest.raises(WrongType, match="of type int64"):
        read("container.HostConfig", f'{{"Memory": {text}}}')


@pytest.mark.parametrize("created", ["x", 1, "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "", {}])
def test_what_is_not_a_time(created: Any) -> None:
    with pytest.raises(WrongType):
        decode("image.Image", {"created": created})
