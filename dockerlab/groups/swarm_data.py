"""What the groups of configs and secrets share: both are named bytes that a swarm stores for its services."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SwarmData"]


class SwarmData(Group):
    """Sends the data of a config or a secret as base64, as the API requires."""

    def _create(self, operation: str, arguments: dict[str, Any]) -> pd.DataFrame:
        return self._object(operation, **_with_base64_data(arguments))

    def _update(self, operation: str, arguments: dict[str, Any]) -> pd.DataFrame:
        return self._outcome(operation, **_with_base64_data(arguments))


def _with_base64_data(arguments: dict[str, Any]) -> dict[str, Any]:
    data = arguments["data"]
    if data is None:
        return arguments
    return {**arguments, "data": base64.b64encode(data.encode() if isinstance(data, str) else data).decode()}
