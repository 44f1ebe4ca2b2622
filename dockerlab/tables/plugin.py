"""The columns of the plugin tables."""

from __future__ import annotations

from typing import Any

from dockerlab.tables.build import BOOLEAN, OBJECT, TEXT, Column

__all__ = ["LIST", "PRIVILEGES"]


def _joined(texts: list[Any]) -> str:
    return ", ".join(map(str, texts))


LIST = (
    Column("name", "Name", TEXT, "its name"),
    Column("enabled", "Enabled", BOOLEAN, "whether it is enabled"),
    Column("reference", "PluginReference", TEXT, "the reference it was pulled from"),
    Column("description", "Config.Description", TEXT, "its author's description"),
    Column("capabilities", "Config.Interface.Types", OBJECT, "its interfaces, a list: docker.volumedriver/1.0"),
    Column("network", "Config.Network.Type", TEXT, "the type of its network"),
    Column("env", "Settings.Env", TEXT, "its environment variables, separated by commas", convert=_joined),
    Column("id", "Id", TEXT, "its id"),
)

PRIVILEGES = (
    Column("name", "Name", TEXT, "the kind of privilege: network, mount, device, capabilities"),
    Column("description", "Description", TEXT, "what the plugin uses it for"),
    Column("value", "Value", OBJECT, "the requested values, a list of strings"),
)
