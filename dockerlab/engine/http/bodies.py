"""Reads a JSON body, and looks at it before a handler does: each field has the type that the endpoint table gives it.

All words are Go's, as Docker passes them on.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from dockerlab.protocol.operations import Operation

__all__ = ["check", "check_host_config", "read"]

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
#: Type in the table -> what JSON gives, and Go's name for it.
KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "string"),
    "int": ((int,), "int64"),
    "bool": ((bool,), "bool"),
    "list": ((list,), "[]string"),
    "json": ((dict, list), "map"),
}
WORDS: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
#: Go's type for a whole body, and its name before a field.
OWNERS = {
    "ContainerCreate": ("container.CreateRequest", ""),
    "NetworkCreate": ("network.CreateRequest", "CreateRequest"),
    "VolumeCreate": ("volume.CreateOptions", "CreateOptions"),
}
#: Go's types where they have names of their own.
TYPES = {
    "Labels": "map[string]string",
    "DriverOpts": "map[string]string",
    "ExposedPorts": "nat.PortSet",
    "Healthcheck": "v1.HealthcheckConfig",
    "HostConfig": "container.HostConfig",
    "IPAM": "network.IPAM",
    "LogConfig": "container.LogConfig",
    "Mounts": "[]mount.Mount",
    "NetworkingConfig": "network.NetworkingConfig",
    "PortBindings": "nat.PortMap",
    "RestartPolicy": "container.RestartPolicy",
    "StopTimeout": "int",
    "Ulimits": "[]*units.Ulimit",
    "Volumes": "map[string]struct {}",
}
OBJECTS_AT_CREATE = ("Labels", "ExposedPorts", "Volumes", "Healthcheck", "HostConfig", "NetworkingConfig")
#: A command may be one word without a list around it.
ONE_OR_MANY = {"Cmd", "Entrypoint", "Shell", "OnBuild"}

#: The fields of HostConfig whose defaults don't show their type.
LISTS_OF_TEXT = {
    *("Binds", "CapAdd", "CapDrop", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Links"),
    *("SecurityOpt", "VolumesFrom", "DeviceCgroupRules", "MaskedPaths", "ReadonlyPaths"),
}
LISTS_OF_OBJECTS = {
    *("BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps"),
    *("BlkioDeviceWriteIOps", "Devices", "DeviceRequests", "Ulimits", "Mounts"),
}
OBJECTS = {"LogConfig", "PortBindings", "RestartPolicy", "Tmpfs", "StorageOpt", "Sysctls", "Annotations"}


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
        raise BadParameter(f"invalid JSON: json: cannot unmarshal {_word(value)} into Go value of type {whole}")
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
        kinds, word = KINDS[parameter.type]
        if parameter.name in ONE_OR_MANY:
            body[parameter.name] = _words(value)
            continue
        _check(place, value, kinds, TYPES.get(parameter.name, word))
        if parameter.name == "Env":
            _check_items(place, value, str, "string")
    if operation.id != "ContainerCreate":
        return
    for name in OBJECTS_AT_CREATE:
        if body.get(name) is not None:
            _check(f"{owner}.{name}", body[name], (dict,), TYPES[name])
    for name, value in (body.get("Labels") or {}).items():
        _check(f"{owner}.Labels.{name}", value, (str,), "string")


def _words(value: Any) -> list[str]:
    """Read a command: a list of words, or one word."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise BadParameter(f"invalid JSON: json: cannot unmarshal {_word(value)} into Go value of type string")
    return value


def check_host_config(host: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Hold a HostConfig against its defaults, whose values have the right types."""
    for name, value in host.items():
        place, known = f".HostConfig.{name}", defaults.get(name)
        if value is None:
            continue
        if name in LISTS_OF_TEXT:
            _check(place, value, (list,), "[]string")
            _check_items(place, value, str, "string")
        elif name in LISTS_OF_OBJECTS:
            kind = TYPES.get(name, "[]struct")
            _check(place, value, (list,), kind)
            _check_items(place, value, dict, kind.removeprefix("[]").removeprefix("*"))
        elif name in OBJECTS:
            _check(place, value, (dict,), TYPES.get(name, "map[string]string"))
        elif known is not None and not isinstance(known, list | dict):
            kinds, word = next((kinds, word) for kinds, word in KINDS.values() if type(known) in kinds)
            _check(place, value, kinds, word)
    policy, place = host.get("RestartPolicy") or {}, ".HostConfig.RestartPolicy"
    _check(f"{place}.Name", policy.get("Name") or "", (str,), "container.RestartPolicyMode")
    _check(f"{place}.MaximumRetryCount", policy.get("MaximumRetryCount") or 0, (int,), "int")


def _word(value: Any) -> str:
    return WORDS.get(type(value), "null")


def _check(place: str, value: Any, kinds: tuple[type, ...], word: str) -> None:
    fits = isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
    if not fits:
        found = f"number {value}" if isinstance(value, float) and int in kinds else _word(value)
        raise BadParameter(f"invalid JSON: json: cannot unmarshal {found} into Go struct field {place} of type {word}")


def _check_items(place: str, values: list[Any], kind: type, word: str) -> None:
    for number, value in enumerate(values):
        if not isinstance(value, kind):
            raise BadParameter(
                f"invalid JSON: json: cannot unmarshal {_word(value)} into {place}.{number} of type {word}"
            )
