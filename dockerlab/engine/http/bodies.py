"""Reads a JSON body, and looks at it before a handler does: each field has the type that the endpoint table gives it.

All words are Go's, as Docker passes them on.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.go_types import FIELD_TYPES, PARAMETER_TYPES, check_items, check_type, json_type
from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from dockerlab.protocol.operations import Operation

__all__ = ["check", "read"]

JSON = "application/json"
MEDIA_TYPE = re.compile(r"\s*[\w!#$&^.+-]+(?:/[\w!#$&^.+-]+)?\s*(?:;\s*[\w-]+=(?:\"[^\"]*\"|[^\s;\"]+)\s*)*;?\s*")
#: Words of Python's complaint about JSON -> Go's.
PLACES = (
    ("property name", "looking for beginning of object key string"),
    ("trailing comma before end of object", "looking for beginning of object key string"),
    ("':'", "after object key"),
    ("','", "after object key:value pair"),
    ("control character", "in string"),
    ("escape", "in string escape code"),
)
#: Go's type for a whole body, and its name before a field.
OWNERS = {
    "ContainerCreate": ("container.CreateRequest", ""),
    "NetworkCreate": ("network.CreateRequest", "CreateRequest"),
    "VolumeCreate": ("volume.CreateOptions", "CreateOptions"),
}
OBJECTS_AT_CREATE = ("Labels", "ExposedPorts", "Volumes", "Healthcheck", "HostConfig", "NetworkingConfig")
#: A command may be one word without a list around it.
ONE_OR_MANY = {"Cmd", "Entrypoint", "Shell", "OnBuild"}


def read(operation: Operation, content_type: str, body: bytes) -> dict[str, Any]:
    """Give the object in a body; `null` counts as an empty one. Raises BadParameter."""
    if not body.strip():
        raise BadParameter("invalid JSON: got EOF while reading request body")
    _check_content_type(content_type)
    try:
        value = json.loads(body)
    except RecursionError:
        raise BadParameter("invalid JSON: exceeded max depth") from None
    except ValueError as error:
        raise BadParameter(_unreadable(body, error)) from None
    if value is not None and not isinstance(value, dict):
        whole = OWNERS.get(operation.id, (operation.id, ""))[0]
        raise BadParameter(f"invalid JSON: json: cannot unmarshal {json_type(value)} into Go value of type {whole}")
    value = _spelt(operation, value or {})
    check(operation, value)
    return value


def _spelt(operation: Operation, body: dict[str, Any]) -> dict[str, Any]:
    """Write the names of fields as they are known: Go doesn't look at capitals."""
    known = {parameter.name.lower(): parameter.name for parameter in operation.parameters}
    return {known.get(name.lower(), name): value for name, value in body.items()}


def _check_content_type(text: str) -> None:
    if not text.strip():
        raise BadParameter("malformed Content-Type header (): mime: no media type")
    if not MEDIA_TYPE.fullmatch(text):
        raise BadParameter(f"malformed Content-Type header ({text}): mime: invalid media parameter")
    if text.partition(";")[0].strip().lower() != JSON:
        raise BadParameter(f"unsupported Content-Type header ({text}): must be '{JSON}'")


def _unreadable(body: bytes, error: ValueError) -> str:
    """Say why a body is not JSON."""
    if not isinstance(error, json.JSONDecodeError):
        return "invalid JSON: invalid character in string"  # it is no UTF-8, which Go would take
    if error.msg == "Extra data":
        return "unexpected content after JSON"
    text = body.decode("utf-8", "replace")
    rest = text[error.pos :].lstrip()
    if error.msg.startswith("Illegal trailing comma"):
        rest = rest[1:].lstrip()
    if not rest or "Unterminated" in error.msg:
        return "invalid JSON: unexpected EOF"
    where = next((where for words, where in PLACES if words in error.msg), "looking for beginning of value")
    return f"invalid JSON: invalid character {_quoted(rest[0])} {where}"


def _quoted(character: str) -> str:
    return "'\"'" if character == '"' else ascii(character)


def check(operation: Operation, body: dict[str, Any]) -> None:
    """Hold a body against its row. Raises BadParameter."""
    owner = OWNERS.get(operation.id, ("", operation.id))[1]
    for parameter in operation.parameters:
        value, place = body.get(parameter.name), f"{owner}.{parameter.name}"
        if parameter.place != "body" or value is None:
            continue
        kinds, word = PARAMETER_TYPES[parameter.type]
        if parameter.name in ONE_OR_MANY:
            body[parameter.name] = _words(value)
            continue
        check_type(place, value, kinds, FIELD_TYPES.get(parameter.name, word))
        if parameter.name == "Env":
            check_items(place, value, str, "string")
    if operation.id != "ContainerCreate":
        return
    for name in OBJECTS_AT_CREATE:
        if body.get(name) is not None:
            check_type(f"{owner}.{name}", body[name], (dict,), FIELD_TYPES[name])
    for name, value in (body.get("Labels") or {}).items():
        check_type(f"{owner}.Labels.{name}", value, (str,), "string")


def _words(value: Any) -> list[str]:
    """Read a command: a list of words, or one word."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise BadParameter(f"invalid JSON: json: cannot unmarshal {json_type(value)} into Go value of type string")
    return value
