"""Tables of the plugin operations."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.tables.build import PLAIN, TEXT, YES_NO, Column, array_table

__all__ = ["LIST", "PRIVILEGES", "plugin_list", "privilege_table"]


def _joined(texts: list[Any]) -> str:
    return ", ".join(map(str, texts))


LIST = (
    Column("name", "Name", TEXT, "its name"),
    Column("enabled", "Enabled", YES_NO, "it runs"),
    Column("reference", "PluginReference", TEXT, "where it was pulled from"),
    Column("description", "Config.Description", TEXT, "what its author says about it"),
    Column("capabilities", "Config.Interface.Types", PLAIN, "what it does, a list: docker.volumedriver/1.0"),
    Column("network", "Config.Network.Type", TEXT, "the network it is on"),
    Column("env", "Settings.Env", TEXT, "its variables, with commas between them", convert=_joined),
    Column("id", "Id", TEXT, "its id"),
)

PRIVILEGES = (
    Column("name", "Name", TEXT, "what it wants to use: network, mount, device, capabilities"),
    Column("description", "Description", TEXT, "what for"),
    Column("value", "Value", PLAIN, "which ones, a list of texts"),
)


def plugin_list(records: list[dict[str, Any]] | None) -> pd.DataFrame:
    """Make the table of PluginList."""
    return array_table(LIST, records)


def privilege_table(records: list[dict[str, Any]] | None) -> pd.DataFrame:
    """Make the table of GetPluginPrivileges."""
    return array_table(PRIVILEGES, records)
