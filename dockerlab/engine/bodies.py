"""Looks at a JSON body before a handler does: each field has the type that the endpoint table gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from dockerlab.operations import Operation

__all__ = ["check", "check_host_config"]

#: Type in the table -> what JSON gives, and Go's name for it, as Docker writes it.
KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "string"),
    "int": ((int,), "int64"),
    "bool": ((bool,), "bool"),
    "list": ((list,), "[]string"),
    "json": ((dict, list), "map"),
}
WORDS: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
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


def check(operation: Operation, body: dict[str, Any]) -> None:
    """Hold a body against its row. Raises BadParameter in Go's words, as Docker does."""
    owner = "ContainerConfigWrapper" if operation.id == "ContainerCreate" else operation.id
    for parameter in operation.parameters:
        value = body.get(parameter.name)
        if parameter.place != "body" or value is None:
            continue
        if parameter.name in ONE_OR_MANY and isinstance(value, str):
            body[parameter.name] = value = [value]
        kinds, word = KINDS[parameter.type]
        if parameter.name in ONE_OR_MANY:
            word = "string"
        _check(f"{owner}.{parameter.name}", value, kinds, word)
        if parameter.name in ONE_OR_MANY or parameter.name == "Env":
            _check_items(f"{owner}.{parameter.name}", value, str, "string")
    for name in ("Labels", "ExposedPorts", "Volumes", "HostConfig", "NetworkingConfig"):
        if body.get(name) is not None:
            _check(f"{owner}.{name}", body[name], (dict,), "map")
    for value in (body.get("Labels") or {}).values():
        _check(f"{owner}.Labels", value, (str,), "string")


def check_host_config(host: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Hold a HostConfig against its defaults, whose values have the right types."""
    for name, value in host.items():
        place = f"HostConfig.HostConfig.{name}"
        known = defaults.get(name)
        if value is None:
            continue
        if name in LISTS_OF_TEXT or name in LISTS_OF_OBJECTS:
            _check(place, value, (list,), "[]string" if name in LISTS_OF_TEXT else "[]struct")
            _check_items(place, value, *((str, "string") if name in LISTS_OF_TEXT else (dict, "struct")))
        elif name in OBJECTS:
            _check(place, value, (dict,), "map")
        elif known is not None and not isinstance(known, list | dict):
            kind, word = next((kinds, word) for kinds, word in KINDS.values() if type(known) in kinds)
            _check(place, value, kind, word)
    policy = host.get("RestartPolicy") or {}
    _check("RestartPolicy.HostConfig.RestartPolicy.Name", policy.get("Name") or "", (str,), "string")
    count = policy.get("MaximumRetryCount") or 0
    _check("RestartPolicy.HostConfig.RestartPolicy.MaximumRetryCount", count, (int,), "int")


def _check(place: str, value: Any, kinds: tuple[type, ...], word: str) -> None:
    fits = isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
    if not fits:
        found = WORDS.get(type(value), "null")
        raise BadParameter(f"json: cannot unmarshal {found} into Go struct field {place} of type {word}")


def _check_items(place: str, values: list[Any], kind: type, word: str) -> None:
    for value in values:
        _check(place, value, (kind,), word)
