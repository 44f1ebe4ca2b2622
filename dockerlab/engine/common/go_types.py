"""Checks JSON values as Go's decoder does, with its messages, which Docker passes on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from dockerlab.engine.common import go_structs
from dockerlab.engine.common.go_json import NumberLiteral, loads
from dockerlab.engine.common.timestamps import nanoseconds

__all__ = ["WrongType", "decode", "json_type", "read"]

JSON_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
    NumberLiteral: "number",
}
#: Go's integers -> the lowest and the highest value.
INTEGERS = {
    "int": (-(1 << 63), (1 << 63) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint": (0, (1 << 64) - 1),
    "uint16": (0, (1 << 16) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}
PLAIN: dict[str, type] = {"string": str, "bool": bool}
SURROGATE = re.compile("[\ud800-\udfff]")
ARRAY = re.compile(r"\[(\d*)\](.+)", re.DOTALL)
MAP = re.compile(r"map\[([\w.]+)\](.+)", re.DOTALL)
#: The types whose fields stand in messages without the name of the type in front.
NAMELESS = {"container.CreateRequest", "registry.AuthConfig"}
EMPTY_STRUCT = "struct {}"
#: The end of a time. Go's decoder does not accept a time without a zone.
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)\Z")


class WrongType(ValueError):
    """A value has not the type that Docker's has. The text is Go's message."""


class _Place:
    """Where a value is: the fields, keys and indexes on the way to it, as a JSON pointer escapes them."""

    def __init__(self, path: str = "") -> None:
        self.path = path

    def field(self, name: str) -> _Place:
        """Return the place of a field of a struct, or of a value in a map."""
        return _Place(f"{self.path}.{name.replace('~', '~0').replace('/', '~1')}")

    def item(self, number: int) -> _Place:
        """Return the place of an item of a list."""
        return _Place(f"{self.path}.{number}")

    def wrong(self, actual: str, kind: str) -> WrongType:
        target = "Go value"
        if "." in self.path:
            # The message says "struct field" for a key of a map, too, but not for a number.
            target = self.path if self.path.rpartition(".")[2].isdigit() else f"Go struct field {self.path}"
        return WrongType(f"json: cannot unmarshal {actual} into {target} of type {kind}")


def read(kind: str, data: bytes | str, *, first_value_only: bool = False) -> Any:
    """Read a JSON text as a value of one of Go's types. Raises WrongType, InvalidJson."""
    return decode(kind, loads(data, first_value_only=first_value_only))


def decode(kind: str, value: Any) -> Any:
    """Return a value as Go's decoder stores it: only the fields that the type has, under their own names.

    A null is left out of a struct; as an item it is the zero value of its type. Raises WrongType.
    """
    return _decode(
        kind, value, _Place(kind.rpartition(".")[2] if kind in go_structs.STRUCTS and kind not in NAMELESS else "")
    )


def json_type(value: Any) -> str:
    """Return Go's name for the JSON type of a value."""
    return JSON_TYPES.get(type(value), "null")


def _decode(kind: str, value: Any, place: _Place) -> Any:
    if kind.startswith("*"):
        return None if value is None else _decode(kind[1:], value, place)
    plain = go_structs.NAMED.get(kind, kind)
    if plain in OWN_DECODERS:
        return OWN_DECODERS[plain](value, place)
    if value is None:
        return _zero(plain)
    if plain in PLAIN or plain in INTEGERS:
        return _scalar(kind, plain, value, place)
    if array := ARRAY.fullmatch(plain):
        return _array(kind, array[2], array[1], value, place)
    return _object(kind, plain, value, place)


def _scalar(kind: str, plain: str, value: Any, place: _Place) -> Any:
    if plain in INTEGERS:
        return _integer(kind, plain, value, place)
    if not isinstance(value, PLAIN[plain]):
        raise place.wrong(json_type(value), kind)
    return _text(value) if isinstance(value, str) else value


def _integer(kind: str, plain: str, value: Any, place: _Place) -> int:
    if isinstance(value, NumberLiteral):
        raise place.wrong(f"number {value.text}", kind)
    if not isinstance(value, int) or isinstance(value, bool):
        raise place.wrong(json_type(value), kind)
    lowest, highest = INTEGERS[plain]
    if not lowest <= value <= highest:
        raise place.wrong(f"number {value}", kind)
    return value


def _array(kind: str, item_kind: str, length: str, value: Any, place: _Place) -> list[Any]:
    if not isinstance(value, list):
        raise place.wrong(json_type(value), kind)
    if not length:
        items = [_decode(item_kind, item, place.item(number)) for number, item in enumerate(value)]
        return [item for item in items if item is not None] if item_kind.startswith("*") else items
    # An array of a fixed length ignores further items, and the missing ones are zero.
    items = [_decode(item_kind, item, place.item(number)) for number, item in enumerate(value[: int(length)])]
    return items + [_zero(item_kind)] * (int(length) - len(items))


def _object(kind: str, plain: str, value: Any, place: _Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise place.wrong(json_type(value), kind)
    if plain == EMPTY_STRUCT:
        return {}
    if mapping := MAP.fullmatch(plain):
        return {_text(name): _decode(mapping[2], item, place.field(name)) for name, item in value.items()}
    return _struct(plain, value, place)


def _struct(kind: str, value: dict[str, Any], place: _Place) -> dict[str, Any]:
    fields, result = go_structs.fields(kind), {}
    for key, item in value.items():
        name, field_kind = fields.get(key.lower(), ("", ""))
        # Go prefers the exact name to one that differs in upper and lower case.
        if name and item is not None and not (key != name and name in value):
            result[name] = _decode(field_kind, item, place.field(key))
    return result


def _zero(plain: str) -> Any:
    if plain in INTEGERS:
        return 0
    if plain == "string":
        return ""
    if plain == "bool":
        return False
    if plain in go_structs.STRUCTS or plain == EMPTY_STRUCT:
        return {}
    return None


def _text(value: str) -> str:
    """Return a text in which halves of surrogate pairs are replaced, because they can't be encoded."""
    return value if value.isascii() else SURROGATE.sub("\ufffd", value)


def _command(value: Any, _: _Place) -> list[str] | None:
    """Return a command as a list of strings. Docker also accepts one string."""
    if value is None:
        return None
    if isinstance(value, str):
        return [_text(value)]
    if not isinstance(value, list) or not all(word is None or isinstance(word, str) for word in value):
        raise WrongType(f"json: cannot unmarshal {json_type(value)} into Go value of type string")
    return [_text(word or "") for word in value]


def _time(value: Any, place: _Place) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise place.wrong(json_type(value), "time.Time")
    try:
        nanoseconds(value if ZONE.search(value) else "no time")
    except ValueError:
        raise WrongType(_time_message(_text(value))) from None
    return value


def _time_message(text: str) -> str:
    if DATE.match(text):
        return f'parsing time "{text}": month, day or time of day out of range'
    return f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'


#: The types that decode themselves.
OWN_DECODERS: dict[str, Callable[[Any, _Place], Any]] = {"strslice.StrSlice": _command, "time.Time": _time}
