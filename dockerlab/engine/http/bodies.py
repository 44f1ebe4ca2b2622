"""Reads the JSON body of a request, and checks that each field has the type that the endpoint table gives it.

All messages are those of Go's JSON decoder, which Docker passes on.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.go_types import FIELD_TYPES, PARAMETER_TYPES, check_items, check_type, json_type
from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from dockerlab.protocol.operations import Operation

__all__ = ["read"]

JSON = "application/json"
MEDIA_TYPE = re.compile(r"\s*[\w!#$&^.+-]+(?:/[\w!#$&^.+-]+)?\s*(?:;\s*[\w-]+=(?:\"[^\"]*\"|[^\s;\"]+)\s*)*;?\s*")
#: A part of a message of Python's JSON decoder -> what Go's decoder says instead.
GO_MESSAGES = (
    ("property name", "looking for beginning of object key string"),
    ("trailing comma before end of object", "looking for beginning of object key string"),
    ("':'", "after object key"),
    ("','", "after object key:value pair"),
    ("control character", "in string"),
    ("escape", "in string escape code"),
)
#: operationId -> Go's type of the whole body, and its name in front of a field.
BODY_TYPES = {
    "ContainerCreate": ("container.CreateRequest", ""),
    "NetworkCreate": ("network.CreateRequest", "CreateRequest"),
    "VolumeCreate": ("volume.CreateOptions", "CreateOptions"),
}
OBJECTS_OF_CONTAINER_CREATE = ("Labels", "ExposedPorts", "Volumes", "Healthcheck", "HostConfig", "NetworkingConfig")
#: Commands, which may be a string instead of a list of strings.
COMMANDS = {"Cmd", "Entrypoint", "Shell", "OnBuild"}


def read(operation: Operation, content_type: str, body: bytes) -> dict[str, Any]:
    """Return the object in a body; `null` counts as an empty object. Raises BadParameter."""
    if not body.strip():
        raise BadParameter("invalid JSON: got EOF while reading request body")
    _check_content_type(content_type)
    try:
        value = json.loads(body)
    except RecursionError:
        raise BadParameter("invalid JSON: exceeded max depth") from None
    except ValueError as error:
        raise BadParameter(_go_message(body, error)) from None
    if value is not None and not isinstance(value, dict):
        body_type = BODY_TYPES.get(operation.id, (operation.id, ""))[0]
        raise BadParameter(f"invalid JSON: json: cannot unmarshal {json_type(value)} into Go value of type {body_type}")
    fields = _with_exact_names(operation, value or {})
    _check_fields(operation, fields)
    return fields


def _with_exact_names(operation: Operation, body: dict[str, Any]) -> dict[str, Any]:
    """Spell the names of fields as the endpoint table does, because Go ignores upper and lower case."""
    names = {parameter.name.lower(): parameter.name for parameter in operation.parameters}
    return {names.get(name.lower(), name): value for name, value in body.items()}


def _check_content_type(text: str) -> None:
    if not text.strip():
        raise BadParameter("malformed Content-Type header (): mime: no media type")
    if not MEDIA_TYPE.fullmatch(text):
        raise BadParameter(f"malformed Content-Type header ({text}): mime: invalid media parameter")
    if text.partition(";")[0].strip().lower() != JSON:
        raise BadParameter(f"unsupported Content-Type header ({text}): must be '{JSON}'")


def _go_message(body: bytes, error: ValueError) -> str:
    """Return the message of Go's decoder for a body that is not JSON."""
    if not isinstance(error, json.JSONDecodeError):
        return "invalid JSON: invalid character in string"  # the body is not UTF-8; Go itself would accept it
    if error.msg == "Extra data":
        return "unexpected content after JSON"
    text = body.decode("utf-8", "replace")
    rest = text[error.pos :].lstrip()
    if error.msg.startswith("Illegal trailing comma"):
        rest = rest[1:].lstrip()
    if not rest or "Unterminated" in error.msg:
        return "invalid JSON: unexpected EOF"
    where = next((where for part, where in GO_MESSAGES if part in error.msg), "looking for beginning of value")
    return f"invalid JSON: invalid character {_quote(rest[0])} {where}"


def _quote(character: str) -> str:
    return "'\"'" if character == '"' else ascii(character)


def _check_fields(operation: Operation, body: dict[str, Any]) -> None:
    """Check the types of the fields, and turn commands that are strings into lists. Raises BadParameter."""
    prefix = BODY_TYPES.get(operation.id, ("", operation.id))[1]
    for parameter in operation.parameters:
        value, field = body.get(parameter.name), f"{prefix}.{parameter.name}"
        if parameter.place != "body" or value is None:
            continue
        if parameter.name in COMMANDS:
            body[parameter.name] = _command(value)
            continue
        types, go_type = PARAMETER_TYPES[parameter.type]
        check_type(field, value, types, FIELD_TYPES.get(parameter.name, go_type))
        if parameter.name == "Env":
            check_items(field, value, str, "string")
    if operation.id != "ContainerCreate":
        return
    for name in OBJECTS_OF_CONTAINER_CREATE:
        if body.get(name) is not None:
            check_type(f"{prefix}.{name}", body[name], (dict,), FIELD_TYPES[name])
    for name, value in (body.get("Labels") or {}).items():
        check_type(f"{prefix}.Labels.{name}", value, (str,), "string")


def _command(value: Any) -> list[str]:
    """Return a command as a list of strings."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise BadParameter(f"invalid JSON: json: cannot unmarshal {json_type(value)} into Go value of type string")
    return value
