"""Tables of the plugin operations."""

from __future__ import annotations

from typing import Any

from dockerlab.tables.build import BOOLEAN, OBJECT, TEXT, Column

__all__ = ["LIST", "PRIVILEGES"]


def _joined(texts: list[Any]) -> str:
    return ", ".join(map(str, texts))


LIST = (
    Column("name", "Name", TEXT, "its name"),
    Column("enabled", "Enabled", BOOLEAN, "it runs"),
    Column("reference", "PluginReference", TEXT, "where it was pulled from"),
    Column("description", "Config.Description", TEXT, "what its author says about it"),
    Column("capabilities", "Config.Interface.Types", OBJECT, "what it does, a list: docker.volumedriver/1.0"),
    Column("network", "Config.Network.Type", TEXT, "the network it is on"),
    Column("env", "Settings.Env", TEXT, "its variables, with commas between them", convert=_joined),
    Column("id", "Id", TEXT, "its id"),
)

PRIVILEGES = (
    Column("name", "Name", TEXT, "what it wants to use: network, mount, device, capabilities"),
    Column("description", "Description", TEXT, "what for"),
    Column("value", "Value", OBJECT, "which ones, a list of texts"),
)
