"""Arguments in, request out. A wrong argument fails here, before any byte is sent."""

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

__all__ = ["Request", "encode", "has_no_end", "row"]

MOMENT = "a datetime, a timedelta (so long ago), or seconds since 1970"
JSON = "application/json"
TAR = "application/x-tar"


@dataclass(slots=True)
class Request:
    """One request, ready to be sent: what was asked, and how it is written on the wire."""

    operation: Operation
    arguments: dict[str, Any]
    target: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | IO[bytes] | None = None


def row(operation: str) -> Operation:
    """Give the row of an operationId. Raises ArgumentError with the nearest ones for a misspelt one."""
    if operation in OPERATIONS:
        return OPERATIONS[operation]
    folded = {name.lower(): name for name in OPERATIONS}
    near = difflib.get_close_matches(operation.lower(), folded, n=3, cutoff=0.5)
    mean = f" Did you mean {' or '.join(folded[name] for name in near)}?" if near else ""
    raise ArgumentError(f"There is no operation {operation!r} in the Engine API.{mean}")


def encode(operation: Operation, arguments: Mapping[str, Any], version: str, newest: str = "") -> Request:
    """Write the arguments of an operation as a request in an API version.

    `newest` is the newest version that the engine speaks: what came later than `version` is asked for in its own.
    Arguments that are None are left out. Raises ArgumentError for one that is unknown, missing, of a wrong type,
    or newer than the engine.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    whole = given.pop("body", None) if operation.body and "body" not in operation.by_argument else None
    _check_names(operation, given, whole is not None)
    version = _spoken(operation, given, version, newest or version)
    path, query, headers, fields = operation.path, [], {}, {}
    for parameter in operation.parameters:
        if parameter.argument not in given:
            continue
        value = given[parameter.argument]
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
    request = Request(operation, dict(given), target, query, headers)
    _put_body(request, fields, whole)
    if whole is not None and whole != {}:  # an empty one says nothing that a line of dockerlab would repeat
        request.arguments["body"] = whole
    return request


def has_no_end(operation: Operation, arguments: Mapping[str, Any]) -> bool:
    """Return whether the response goes on until somebody closes it, so that it can't be read as a whole.

    Stats end only with `stream=False`. `one_shot` alone is no bound: the API allows it with `stream=False` only, and
    engines that don't reject the combination send one sample after the other.
    """

    def flag(name: str, default: bool) -> bool:
        value = arguments.get(name)
        return default if value is None else _truth(operation, operation.by_argument[name], value)

    if operation.id == "ContainerStats":
        return flag("stream", True)
    if operation.id == "SystemEvents":
        return arguments.get("until") is None
    return "follow" in operation.by_argument and flag("follow", False)


# -- names ---------------------------------------------------------------------------------------------------


def _spoken(operation: Operation, given: dict[str, Any], version: str, newest: str) -> str:
    """Give the version to ask in. Raises ArgumentError for what is newer than the engine."""
    if version_number(operation.since) > version_number(newest):
        raise ArgumentError(
            f"{operation.id} came with API {operation.since}, and this engine speaks {newest}: "
            "ask a newer engine, see lab.version."
        )
    needed = [version, operation.since]
    for name in given:
        since = operation.by_argument[name].since
        if version_number(since) > version_number(newest):
            raise ArgumentError(
                f"{operation.id}: `{name}` came with API {since}, and this engine speaks {newest}. Leave it out."
            )
        needed.append(since)
    return max(needed, key=version_number)


def _check_names(operation: Operation, given: dict[str, Any], whole: bool) -> None:
    known = operation.by_argument
    for name in given:
        if name not in known:
            raise ArgumentError(_unknown(operation, name))
    missing = [
        f"`{one.argument}`"
        for one in operation.parameters
        if one.required and one.argument not in given and not (one.place == "body" and whole)
    ]
    if missing:
        raise ArgumentError(f"{operation.id} needs {' and '.join(missing)}.")
    body_given = whole or any(known[name].place == "body" for name in given)
    if operation.body_required and not body_given:
        raise ArgumentError(f"{operation.id} needs a body: {_what_body(operation)}.")


def _unknown(operation: Operation, name: str) -> str:
    known = list(operation.by_argument) + (["body"] if operation.body else [])
    if not known:
        return f"{operation.id} takes no arguments, so not `{name}` either."
    near = difflib.get_close_matches(name, known, n=1)
    mean = f" Did you mean `{near[0]}`?" if near else ""
    return f"{operation.id} has no argument `{name}`.{mean} It takes: {', '.join(known)}."


def _what_body(operation: Operation) -> str:
    if operation.body == "tar":
        return "body=, bytes or an open file of a tar"
    if operation.body == "list":
        return "body=, a list"
    return "its fields as arguments, or body=, a dict"


# -- values --------------------------------------------------------------------------------------------------


def _wrong(operation: Operation, parameter: Parameter, value: Any, wanted: str) -> ArgumentError:
    return ArgumentError(f"{operation.id}: `{parameter.argument}` is {wanted}, not {value!r}.")


def _path(operation: Operation, parameter: Parameter, value: Any) -> str:
    """Write a name into the path. `/web`, as the engine lists a container, is `web`."""
    name = value.removeprefix("/") if isinstance(value, str) else ""
    if any(part in ("", ".", "..") for part in name.split("/")):  # an engine would send us elsewhere
        raise _wrong(operation, parameter, value, "a name or an id")
    return quote(name, safe="/:@" if parameter.name == "name" else ":")


def _texts(operation: Operation, parameter: Parameter, value: Any) -> list[str]:
    """Give a query parameter's values as text: one, but for a list, which is repeated."""
    if parameter.type == "list":
        return [str(item) for item in ([value] if isinstance(value, str) else value)]
    return [_text(operation, parameter, value)]


def _text(operation: Operation, parameter: Parameter, value: Any) -> str:
    kind = parameter.type
    if kind == "bool":
        return "1" if _truth(operation, parameter, value) else "0"
    if kind == "int":
        return str(_whole(operation, parameter, value))
    if kind == "time":
        return _time(operation, parameter, value)
    if kind == "filters":
        return _filters(operation, parameter, value)
    if kind == "json":
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if isinstance(value, (bytes, bool, dict, list, set, tuple)):
        raise _wrong(operation, parameter, value, "a text")
    return str(value)


def _truth(operation: Operation, parameter: Parameter, value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("1", "0", "true", "false"):
        return value.lower() in ("1", "true")
    plain = isinstance(value, (bool, int, float)) or type(value).__name__ in ("bool", "bool_")  # numpy's, too
    if plain and value in (True, False):
        return bool(value)
    raise _wrong(operation, parameter, value, "True or False")


def _whole(operation: Operation, parameter: Parameter, value: Any) -> int:
    try:
        if isinstance(value, bool) or int(value) != float(value):
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(operation, parameter, value, "a whole number") from None


def _time(operation: Operation, parameter: Parameter, value: Any) -> str:
    """Write a moment as `seconds.nanoseconds`; a timedelta is that long ago."""
    if isinstance(value, str):
        if re.fullmatch(r"-?\d+(\.\d{1,9})?", value):
            return value
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            raise _wrong(operation, parameter, value, MOMENT) from None
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.9f}"
    if hasattr(value, "__index__") and not isinstance(value, bool):
        return str(operator.index(value))
    nanoseconds = getattr(value, "value", None)  # of a pandas Timestamp, which knows more than microseconds
    if isinstance(value, datetime.timedelta):
        value, nanoseconds = datetime.datetime.now(datetime.UTC) - value, None
    if isinstance(value, datetime.datetime) and not math.isnan(value.year):  # pandas' NaT is a datetime of no year
        if isinstance(nanoseconds, int) and getattr(value, "unit", "ns") == "ns":
            return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
        aware = value if value.tzinfo else value.astimezone()
        delta = aware - datetime.datetime.fromtimestamp(0, datetime.UTC)
        return f"{delta.days * 86400 + delta.seconds}.{delta.microseconds:06d}000"
    raise _wrong(operation, parameter, value, MOMENT)


def _filters(operation: Operation, parameter: Parameter, value: Any) -> str:
    """Write filters as JSON of lists: `{"status": "running"}` is `{"status":["running"]}`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise _wrong(operation, parameter, value, "a dict of filters") from None
    if not isinstance(value, Mapping):
        raise _wrong(operation, parameter, value, "a dict of filters")
    lists: dict[str, list[str]] = {}
    for name, wanted in value.items():
        if isinstance(wanted, Mapping):
            lists[name] = [f"{key}={item}" if item is not None else str(key) for key, item in wanted.items()]
        elif isinstance(wanted, (list, tuple, set, frozenset)):
            lists[name] = [_plain(item) for item in wanted]
        else:
            lists[name] = [_plain(wanted)]
    return json.dumps(lists, separators=(",", ":"))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _header(value: Any) -> str:
    """Write a header; a dict, such as registry credentials, becomes base64 of JSON as the API wants it."""
    if isinstance(value, Mapping):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    text = str(value)
    if not all(" " <= character <= "~" or "\xa0" <= character <= "\xff" for character in text):
        raise ArgumentError("A header can't hold line ends, control characters, or letters beyond Latin-1.")
    return text


def _field(operation: Operation, parameter: Parameter, value: Any) -> Any:
    """Check one field of a JSON body: types, and the names of what is nested in it. The engine judges the rest."""
    if parameter.type == "bool" and not isinstance(value, bool):
        return _truth(operation, parameter, value)
    if parameter.type == "int":
        return _whole(operation, parameter, value)
    if parameter.type == "str" and not isinstance(value, str):
        raise _wrong(operation, parameter, value, "a text")
    if parameter.type == "list" and not isinstance(value, (list, tuple, str)):
        raise _wrong(operation, parameter, value, "a list")
    if parameter.type == "json" and not isinstance(value, Mapping):
        raise _wrong(operation, parameter, value, "a dict")
    if parameter.type in ("list", "json") and not isinstance(value, str):
        wrong = schemas.fault(schemas.fields(operation.id)[parameter.name], value, parameter.argument)
        if wrong:
            raise ArgumentError(f"{operation.id}: {wrong}")
    return list(value) if isinstance(value, tuple) else value


# -- body ----------------------------------------------------------------------------------------------------


def _put_body(request: Request, fields: dict[str, Any], whole: Any) -> None:
    operation = request.operation
    if whole is not None and operation.body == "tar":
        request.body = _bytes(operation, whole)
        request.headers.setdefault("Content-Type", TAR)
        return
    if whole is not None and fields:
        if not isinstance(whole, Mapping):
            raise ArgumentError(f"{operation.id}: body= is a dict when fields are given, too.")
        fields = {**whole, **fields}
    if fields or operation.body_required or whole is not None:
        content = fields or ({} if whole is None else whole)  # an empty list stays one
        request.body = content if isinstance(content, bytes) else json.dumps(content, default=_number).encode()
        request.headers["Content-Type"] = JSON


def _number(value: Any) -> Any:
    """Write a number of numpy's as a plain one."""
    if hasattr(value, "item"):
        return value.item()
    raise ArgumentError(f"A body is JSON, and {type(value).__name__} can't be written as such: {value!r}.")


def _bytes(operation: Operation, body: Any) -> bytes | IO[bytes]:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if isinstance(body, (str, os.PathLike)):
        return open(body, "rb")  # noqa: PTH123  (sent, then closed by the transport)
    if hasattr(body, "read"):
        return body  # type: ignore[no-any-return]
    raise ArgumentError(f"{operation.id}: body= is bytes, a path or an open file, not {type(body).__name__}.")
