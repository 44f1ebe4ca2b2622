"""Container links (`docker run --link`): extra names for other containers, and environment variables about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import Fault

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["aliases", "environment"]

#: Variables that nearly every container has, and that say nothing about the linked one.
COMMON_VARIABLES = ("PATH", "HOME", "HOSTNAME")
Record = dict[str, Any]


def aliases(container: ContainerRecord, endpoint: Record) -> dict[str, list[str]]:
    """Read the links of a container, `CONTAINER:ALIAS`, and return the aliases of each linked container."""
    by_name: dict[str, list[str]] = {}
    for link in [*(endpoint.get("Links") or []), *(container.host_config.get("Links") or [])]:
        name, _, alias = link.partition(":")
        name = name.removeprefix("/")
        by_name.setdefault(name, []).append(alias.rpartition("/")[2] or name)
    return by_name


def environment(container: ContainerRecord, find: Callable[[str], ContainerRecord]) -> dict[str, str]:
    """Return the environment variables that links bring; `find` finds a linked container by its name."""
    variables = {}
    for endpoint in container.endpoints.values():
        for name, own_names in aliases(container, endpoint).items():
            try:
                linked = find(name)
            except Fault:
                continue
            for alias in own_names:
                prefix = alias.upper().replace("-", "_")
                variables[f"{prefix}_NAME"] = f"/{container.name}/{alias}"
                for entry in linked.config["Env"] or []:
                    key, _, value = entry.partition("=")
                    if key not in COMMON_VARIABLES:
                        variables[f"{prefix}_ENV_{key}"] = value
    return variables
