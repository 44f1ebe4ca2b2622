"""Reads JSON from outside as Go's decoder does, with its messages, which Docker passes on."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["InvalidJson", "NumberLiteral", "loads"]

#: The most digits that a number can have without being out of every integer's range.
MOST_DIGITS = 20
#: A part of a message of Python's JSON decoder -> what Go's decoder says instead.
MESSAGES = (
    ("property name", "looking for beginning of object key string"),
    ("trailing comma before end of object", "looking for beginning of object key string"),
    ("':'", "after object key"),
    ("','", "after object key:value pair"),
    ("control character", "in string"),
    ("escape", "in string escape code"),
)


class InvalidJson(ValueError):
    """A text is not JSON. `is_trailing`: it is JSON, but something follows. `is_incomplete`: its end is missing."""

    def __init__(self, message: str, *, is_trailing: bool = False, is_incomplete: bool = False) -> None:
        super().__init__(message)
        self.is_trailing = is_trailing
        self.is_incomplete = is_incomplete


class NumberLiteral:
    """A number with a fraction, an exponent or too many digits, as it was written. No field has such a value."""

    def __init__(self, text: str) -> None:
        self.text = text


def loads(data: bytes | str, *, first_value_only: bool = False) -> Any:
    """Return the value in a text. Bytes that are not UTF-8 are replaced. Raises InvalidJson.

    With `first_value_only`, whatever follows the value is ignored, as Go's decoder of streams does.
    """
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    try:
        value, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(" \t\r\n")))
    except RecursionError:
        raise InvalidJson("exceeded max depth") from None
    except json.JSONDecodeError as error:
        raise _go_error(text, error) from None
    rest = text[end:].lstrip(" \t\r\n")
    if rest and not first_value_only:
        raise InvalidJson(f"invalid character {_quote(rest[0])} after top-level value", is_trailing=True)
    return value


def _integer(text: str) -> int | NumberLiteral:
    return int(text) if len(text) <= MOST_DIGITS else NumberLiteral(text)


def _no_constant(name: str) -> Any:
    """Refuse NaN and Infinity, which Python reads although they are not JSON."""
    raise InvalidJson(
        f"invalid character {_quote(name[0] if name[0] != '-' else name[1])} "
        f"{'in numeric literal' if name[0] == '-' else 'looking for beginning of value'}"
    )


_DECODER = json.JSONDecoder(parse_float=NumberLiteral, parse_int=_integer, parse_constant=_no_constant)


def _go_error(text: str, error: json.JSONDecodeError) -> InvalidJson:
    """Return the error of Go's decoder for a text that is not JSON."""
    rest = text[error.pos :].lstrip()
    if error.msg.startswith("Illegal trailing comma"):
        rest = rest[1:].lstrip()
    if not rest or "Unterminated" in error.msg:
        return InvalidJson("unexpected end of JSON input", is_incomplete=True)
    where = next((where for part, where in MESSAGES if part in error.msg), "looking for beginning of value")
    return InvalidJson(f"invalid character {_quote(rest[0])} {where}")


def _quote(character: str) -> str:
    return "'\"'" if character == '"' else ascii(character)
