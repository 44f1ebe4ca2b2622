"""`dockerlab call`: the words of the command line become an operation's arguments, as the endpoint table types them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dockerlab.errors import ArgumentError
from dockerlab.protocol import schemas
from dockerlab.protocol.operations import OPERATIONS, Operation, Parameter
from dockerlab.protocol.request import operation_named

__all__ = ["find_operation", "parse_arguments"]

SECONDS_PER_UNIT = {"d": 86400, "h": 3600, "m": 60, "s": 1}
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def find_operation(name: str) -> Operation:
    """Return the operation with this operationId, in any case. Raises ArgumentError with the nearest names."""
    by_lower_case = {operation_id.lower(): operation_id for operation_id in OPERATIONS}
    return operation_named(by_lower_case.get(name.lower(), name))


def parse_arguments(operation: Operation, words: Iterable[str]) -> dict[str, Any]:
    """Read `key=value` words as an operation's arguments, each typed as the endpoint table says.

    A key is snake_case or the API's own spelling. A word without `=` is the name or id in the path. A list may be
    repeated, or be JSON; `filters.status=running` adds one value to an object; `body=@FILE` reads a file.
    Raises ArgumentError for a word that can't be read.
    """
    by_name = {parameter.name: parameter for parameter in operation.parameters}
    by_name |= {parameter.argument: parameter for parameter in operation.parameters}
    arguments: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        key, dot, field = key.partition(".")
        if not equals:
            key, dot, field, text = _path_argument(operation, word, arguments), "", "", word
        parameter = by_name.get(key)
        if parameter is None:
            # the request's encoder refuses unknown names, and suggests the right ones
            arguments[key] = _body(operation, text) if key == "body" and operation.body else text
        elif dot and parameter.type in ("filters", "json"):
            has_free_keys = _has_free_keys(operation, parameter)
            _add_field(arguments.setdefault(parameter.argument, {}), field, text, parameter, has_free_keys)
        elif parameter.type == "list" and isinstance(arguments.get(parameter.argument), list):
            arguments[parameter.argument] += _list(text)
        else:
            arguments[parameter.argument] = _value(operation, parameter, text)
    return arguments


def _path_argument(operation: Operation, word: str, arguments: dict[str, Any]) -> str:
    """Return the first argument in the path that has no value yet."""
    for parameter in operation.parameters:
        if parameter.place == "path" and parameter.argument not in arguments:
            return parameter.argument
    raise ArgumentError(f"{operation.id} can't use the word {word!r}: write arguments as key=value.")


def _has_free_keys(operation: Operation, parameter: Parameter) -> bool:
    """Return whether users choose this object's keys, as for labels: such keys may contain dots."""
    return parameter.place == "body" and schemas.fields(operation.id)[parameter.name].startswith("{")


def _add_field(target: Any, field: str, text: str, parameter: Parameter, has_free_keys: bool) -> None:
    """Set one value in an object. A dotted field is a path, unless users choose the keys; filters hold lists."""
    if not isinstance(target, dict):
        raise ArgumentError(f"Give `{parameter.argument}` either whole or by its fields, not both.")
    if parameter.type == "filters":
        target.setdefault(field, []).append(text)
        return
    *outer, last = [field] if has_free_keys else field.split(".")
    for name in outer:
        target = target.setdefault(name, {})
    target[last] = text if has_free_keys and not text.startswith(("{", "[")) else _json_or_text(text)


def _value(operation: Operation, parameter: Parameter, text: str) -> Any:
    if parameter.type in ("json", "filters") or (parameter.place == "header" and text.startswith("{")):
        return _json(f"{operation.id}: `{parameter.argument}`", text)
    if parameter.type == "list":
        return _list(text)
    if parameter.type == "time":
        return _time(text)
    if parameter.type == "bool" and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    if parameter.type == "int" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if parameter.type in ("bool", "int"):
        expected = "true or false" if parameter.type == "bool" else "a whole number"
        raise ArgumentError(f"{operation.id}: `{parameter.argument}` must be {expected}, not {text!r}.")
    return text


def _json(subject: str, text: str) -> Any:
    try:
        return json.loads(_read_file(text) if text.startswith("@") else text)
    except ValueError as error:
        raise ArgumentError(f"""{subject} must be JSON, such as '{{"status":["running"]}}': {error}.""") from None


def _list(text: str) -> list[Any]:
    if text.startswith("["):
        value = _json("A list", text)
        return value if isinstance(value, list) else [value]
    return [text]


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _time(text: str) -> Any:
    """Read `10m` or `1h30m` (that long ago), a date, or seconds since 1970."""
    if re.fullmatch(r"(\d+[dhms])+", text):
        parts = re.findall(r"(\d+)([dhms])", text)
        return timedelta(seconds=sum(int(number) * SECONDS_PER_UNIT[unit] for number, unit in parts))
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError(
            f"{text!r} is not a time: write 10m (10 minutes ago), 2026-01-31T12:00:00Z, or seconds since 1970."
        ) from None


def _read_file(text: str) -> bytes:
    try:
        return Path(text.removeprefix("@")).expanduser().read_bytes()
    except OSError as error:
        raise ArgumentError(f"{text.removeprefix('@')} can't be read: {error.strerror}.") from None


def _body(operation: Operation, text: str) -> Any:
    if operation.body != "tar":
        return _json(f"{operation.id}: `body`", text)
    path = Path(text.removeprefix("@")).expanduser()
    if not path.is_file():
        raise ArgumentError(f"{operation.id}: `body` must be the path of a tar file, and {path} is not a file.")
    return path
