"""Checks JSON values as Go's decoder does, with its messages, which Docker passes on."""

from __future__ import annotations

from typing import Any

from dockerlab.engine.faults import BadParameter

__all__ = ["FIELD_TYPES", "PARAMETER_TYPES", "check_items", "check_type", "json_type"]

#: Type of a parameter in the endpoint table -> the Python types that JSON gives, and Go's name.
PARAMETER_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "string"),
    "int": ((int,), "int64"),
    "bool": ((bool,), "bool"),
    "list": ((list,), "[]string"),
    "json": ((dict, list), "map"),
}
#: Go's types of the fields that have a named type.
FIELD_TYPES = {
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
JSON_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}


def json_type(value: Any) -> str:
    """Return Go's name for the JSON type of a value."""
    return JSON_TYPES.get(type(value), "null")


def check_type(field: str, value: Any, types: tuple[type, ...], go_type: str) -> None:
    """Raise BadParameter if the value of a field has none of these types. A bool is not a number."""
    fits = isinstance(value, types) and not (isinstance(value, bool) and bool not in types)
    if not fits:
        actual = f"number {value}" if isinstance(value, float) and int in types else json_type(value)
        raise BadParameter(
            f"invalid JSON: json: cannot unmarshal {actual} into Go struct field {field} of type {go_type}"
        )


def check_items(field: str, values: list[Any], item_type: type, go_type: str) -> None:
    """Raise BadParameter if an item of a list has another type."""
    for number, value in enumerate(values):
        if not isinstance(value, item_type):
            raise BadParameter(
                f"invalid JSON: json: cannot unmarshal {json_type(value)} into {field}.{number} of type {go_type}"
            )
