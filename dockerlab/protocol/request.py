"""Turns the arguments of an operation into a request. A wrong argument fails here, before any byte is sent."""

from __future__ import annotations

import base64
import datetime
import difflib
import json
import math
import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import quote

from dockerlab.errors import ArgumentError
from dockerlab.protocol import schemas
from dockerlab.protocol.operations import OPERATIONS, Operation, Parameter, version_number
from dockerlab.protocol.redaction import SAFE

__all__ = ["Request", "check_names", "encode", "has_no_end", "operation_named"]

TIME = "a datetime, a timedelta (so long ago), or seconds since 1970"
JSON = "application/json"
TAR = "application/x-tar"


@dataclass(slots=True)
class Request:
    """One request, ready to be sent: its arguments, and how they are written on the wire."""

    operation: Operation
    arguments: dict[str, Any]
    target: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | IO[bytes] | None = None


def operation_named(operation: str) -> Operation:
    """Return the operation of an operationId. Raises ArgumentError, suggesting similar ones, if there is none."""
    if operation in OPERATIONS:
        return OPERATIONS[operation]
    folded = {name.lower(): name for name in OPERATIONS}
    similar = difflib.get_close_matches(operation.lower(), folded, n=3, cutoff=0.5)
    suggestion = f" Did you mean {' or '.join(folded[name] for name in similar)}?" if similar else ""
    raise ArgumentError(f"There is no operation {operation!r} in the Engine API.{suggestion}")


def encode(operation: Operation, arguments: Mapping[str, Any], version: str, newest: str = "") -> Request:
    """Return the request for an operation with these arguments, in an API version.

    `newest` is the newest version that the engine supports: an operation or argument that is newer than `version` uses
    its own version. Arguments that are None are left out. Raises ArgumentError for one that is unknown, missing, of a
    wrong type, or newer than the engine.
    """
    values, whole_body = check_names(operation, arguments)
    version = _version(operation, values, version, newest or version)
    path, query, headers, fields = operation.path, [], {}, {}
    for parameter in operation.parameters:
        if parameter.argument not in values:
            continue
        value = values[parameter.argument]
        if parameter.place == "path":
            path = path.replace("{" + parameter.name + "}", _path(operation, parameter, value))
        elif parameter.place == "query":
            query += [(parameter.name, text) for text in _texts(operation, parameter, value)]
        elif parameter.place == "header":
            headers[parameter.name] = _header(value)
        else:
            fields[parameter.name] = _field(operation, parameter, value)
    target = f"/v{version}{path}"
    if query:
        target += "?" + "&".join(f"{quote(name, safe='')}={quote(text, safe=SAFE)}" for name, text in query)
    request = Request(operation, dict(values), target, query, headers)
    _set_body(request, fields, whole_body)
    if whole_body is not None and whole_body != {}:  # the line of dockerlab that makes this request needs no empty body
        request.arguments["body"] = whole_body
    return request


def has_no_end(operation: Operation, arguments: Mapping[str, Any]) -> bool:
    """Return whether the response goes on until somebody closes it, so that it can't be read as a whole.

    Stats end only with `stream=False`. `one_shot` alone is no bound: the API allows it with `stream=False` only, and
    engines that don't reject the combination send one sample after the other.
    """

    def flag(name: str, default: bool) -> bool:
        value = arguments.get(name)
        return default if value is None else _boolean(operation, operation.by_argument[name], value)

    if operation.id == "ContainerStats":
        return flag("stream", True)
    if operation.id == "SystemEvents":
        return arguments.get("until") is None
    return "follow" in operation.by_argument and flag("follow", False)


# -- names ---------------------------------------------------------------------------------------------------


def _version(operation: Operation, values: dict[str, Any], version: str, newest: str) -> str:
    """Return the API version to use. Raises ArgumentError if the engine is too old for the operation or an argument."""
    if version_number(operation.since) > version_number(newest):
        raise ArgumentError(
            f"{operation.id} needs API {operation.since}, and this engine supports {newest}, see lab.version. "
            "Use a newer engine."
        )
    needed = [version, operation.since]
    for name in values:
        since = operation.by_argument[name].since
        if version_number(since) > version_number(newest):
            raise ArgumentError(
                f"{operation.id}: `{name}` needs API {since}, and this engine supports {newest}. Leave it out."
            )
        needed.append(since)
    return max(needed, key=version_number)


def check_names(operation: Operation, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return the arguments that are not None, and the whole body if one is passed.

    Raises ArgumentError for an argument that is unknown or missing.
    """
    values = {name: value for name, value in arguments.items() if value is not None}
    whole_body = values.pop("body", None) if operation.body and "body" not in operation.by_argument else None
    parameters = operation.by_argument
    for name in values:
        if name not in parameters:
            raise ArgumentError(_unknown_argument(operation, name))
    missing = [
        f"`{parameter.argument}`"
        for parameter in operation.parameters
        if parameter.required
        and parameter.argument not in values
        and not (parameter.place == "body" and whole_body is not None)
    ]
    if missing:
        raise ArgumentError(f"{operation.id} needs {' and '.join(missing)}.")
    has_body = whole_body is not None or any(parameters[name].place == "body" for name in values)
    if operation.body_required and not has_body:
        raise ArgumentError(f"{operation.id} needs a body: {_body_form(operation)}.")
    return values, whole_body


def _unknown_argument(operation: Operation, name: str) -> str:
    names = list(operation.by_argument) + (["body"] if operation.body else [])
    if not names:
        return f"{operation.id} has no argument `{name}`. It takes no arguments."
    similar = difflib.get_close_matches(name, names, n=1)
    suggestion = f" Did you mean `{similar[0]}`?" if similar else ""
    return f"{operation.id} has no argument `{name}`.{suggestion} It takes: {', '.join(names)}."


def _body_form(operation: Operation) -> str:
    if operation.body == "tar":
        return "body=, a tar as bytes or an open file"
    if operation.body == "list":
        return "body=, a list"
    return "its fields as arguments, or body=, a dict"


# -- values --------------------------------------------------------------------------------------------------


def _wrong_value(operation: Operation, parameter: Parameter, value: Any, expected: str) -> ArgumentError:
    return ArgumentError(f"{operation.id}: `{parameter.argument}` is {expected}, not {value!r}.")


def _path(operation: Operation, parameter: Parameter, value: Any) -> str:
    """Return a name as a part of the path. An engine lists containers as `/web`, so a slash in front is accepted."""
    name = value.removeprefix("/") if isinstance(value, str) else ""
    if any(part in ("", ".", "..") for part in name.split("/")):  # would be another path
        raise _wrong_value(operation, parameter, value, "a name or an id")
    return quote(name, safe="/:@" if parameter.name == "name" else ":")


def _texts(operation: Operation, parameter: Parameter, value: Any) -> list[str]:
    """Return the texts of a query parameter: one, or several for a list, which is repeated in the query."""
    if parameter.type == "list":
        return [str(item) for item in ([value] if isinstance(value, str) else value)]
    return [_text(operation, parameter, value)]


def _text(operation: Operation, parameter: Parameter, value: Any) -> str:
    kind = parameter.type
    if kind == "bool":
        return "1" if _boolean(operation, parameter, value) else "0"
    if kind == "int":
        return str(_integer(operation, parameter, value))
    if kind == "time":
        return _time(operation, parameter, value)
    if kind == "filters":
        return _filters(operation, parameter, value)
    if kind == "json":
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if isinstance(value, (bytes, bool, dict, list, set, tuple)):
        raise _wrong_value(operation, parameter, value, "a text")
    return str(value)


def _boolean(operation: Operation, parameter: Parameter, value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("1", "0", "true", "false"):
        return value.lower() in ("1", "true")
    is_number = isinstance(value, (bool, int, float)) or type(value).__name__ in ("bool", "bool_")  # numpy's bool, too
    if is_number and value in (True, False):
        return bool(value)
    raise _wrong_value(operation, parameter, value, "True or False")


def _integer(operation: Operation, parameter: Parameter, value: Any) -> int:
    try:
        if isinstance(value, bool) or int(value) != float(value):
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong_value(operation, parameter, value, "a whole number") from None


def _time(operation: Operation, parameter: Parameter, value: Any) -> str:
    """Return a time as `seconds.nanoseconds` since 1970; a timedelta means that long ago."""
    if isinstance(value, str):
        if re.fullmatch(r"-?\d+(\.\d{1,9})?", value):
            return value
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            raise _wrong_value(operation, parameter, value, TIME) from None
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.9f}"
    if hasattr(value, "__index__") and not isinstance(value, bool):
        return str(operator.index(value))
    nanoseconds = getattr(value, "value", None)  # a pandas Timestamp is more precise than a datetime
    if isinstance(value, datetime.timedelta):
        value, nanoseconds = datetime.datetime.now(datetime.UTC) - value, None
    if isinstance(value, datetime.datetime) and not math.isnan(value.year):  # the year of pandas' NaT is nan
        if isinstance(nanoseconds, int) and getattr(value, "unit", "ns") == "ns":
            return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
        aware = value if value.tzinfo else value.astimezone()
        delta = aware - datetime.datetime.fromtimestamp(0, datetime.UTC)
        return f"{delta.days * 86400 + delta.seconds}.{delta.microseconds:06d}000"
    raise _wrong_value(operation, parameter, value, TIME)


def _filters(operation: Operation, parameter: Parameter, value: Any) -> str:
    """Return filters as JSON of lists: `{"status": "running"}` becomes `{"status":["running"]}`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise _wrong_value(operation, parameter, value, "a dict of filters") from None
    if not isinstance(value, Mapping):
        raise _wrong_value(operation, parameter, value, "a dict of filters")
    lists: dict[str, list[str]] = {}
    for name, values in value.items():
        if isinstance(values, Mapping):
            lists[name] = [f"{key}={item}" if item is not None else str(key) for key, item in values.items()]
        elif isinstance(values, (list, tuple, set, frozenset)):
            lists[name] = [_filter_text(item) for item in values]
        else:
            lists[name] = [_filter_text(values)]
    return json.dumps(lists, separators=(",", ":"))


def _filter_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _header(value: Any) -> str:
    """Return the value of a header. A dict, such as registry credentials, is sent as JSON in base64."""
    if isinstance(value, Mapping):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    text = str(value)
    if not all(" " <= character <= "~" or "\xa0" <= character <= "\xff" for character in text):
        raise ArgumentError("A header can't contain line breaks, control characters, or characters beyond Latin-1.")
    return text


def _field(operation: Operation, parameter: Parameter, value: Any) -> Any:
    """Check the type of one field of a JSON body, and the names of its nested fields. The engine checks the values."""
    if parameter.type == "bool" and not isinstance(value, bool):
        return _boolean(operation, parameter, value)
    if parameter.type == "int":
        return _integer(operation, parameter, value)
    if parameter.type == "str" and not isinstance(value, str):
        raise _wrong_value(operation, parameter, value, "a text")
    if parameter.type == "list" and not isinstance(value, (list, tuple, str)):
        raise _wrong_value(operation, parameter, value, "a list")
    if parameter.type == "json" and not isinstance(value, Mapping):
        raise _wrong_value(operation, parameter, value, "a dict")
    if parameter.type in ("list", "json") and not isinstance(value, str):
        problem = schemas.problem(schemas.fields(operation.id)[parameter.name], value, parameter.argument)
        if problem:
            raise ArgumentError(f"{operation.id}: {problem}")
    return list(value) if isinstance(value, tuple) else value


# -- body ----------------------------------------------------------------------------------------------------


def _set_body(request: Request, fields: dict[str, Any], whole_body: Any) -> None:
    operation = request.operation
    if whole_body is not None and operation.body == "tar":
        request.body = _tar(operation, whole_body)
        request.headers.setdefault("Content-Type", TAR)
        return
    if whole_body is not None and fields:
        if not isinstance(whole_body, Mapping):
            raise ArgumentError(f"{operation.id}: body= must be a dict if fields are passed as well.")
        fields = {**whole_body, **fields}
    if fields or operation.body_required or whole_body is not None:
        content = fields or ({} if whole_body is None else whole_body)  # an empty list must not become an object
        request.body = content if isinstance(content, bytes) else json.dumps(content, default=_number).encode()
        request.headers["Content-Type"] = JSON


def _number(value: Any) -> Any:
    """Return a number of numpy as one of Python."""
    if hasattr(value, "item"):
        return value.item()
    raise ArgumentError(f"A body is JSON, which can't contain a {type(value).__name__}: {value!r}.")


def _tar(operation: Operation, body: Any) -> bytes | IO[bytes]:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if isinstance(body, (str, os.PathLike)):
        return open(body, "rb")  # noqa: PTH123  (the transport closes it after sending)
    if hasattr(body, "read"):
        return body  # type: ignore[no-any-return]
    raise ArgumentError(f"{operation.id}: body= is bytes, a path or an open file, not a {type(body).__name__}.")
