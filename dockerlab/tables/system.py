"""Tables of the system operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dockerlab.tables.build import TEXT, WHOLE, Column, array_table

if TYPE_CHECKING:
    from dockerlab.exchange import Exchange

__all__ = ["PING", "ping_table"]

PING = (
    Column("answer", "answer", TEXT, "OK"),
    Column("status", "status", WHOLE, "200 for an engine that is well"),
    Column("api_version", "Api-Version", TEXT, "the newest API version that the engine speaks"),
    Column("os_type", "Ostype", TEXT, "what its containers run on: linux or windows"),
    Column("experimental", "Docker-Experimental", TEXT, "whether experimental features are on: true or false"),
    Column("builder_version", "Builder-Version", TEXT, "its preferred builder; engines from 23 on"),
    Column("swarm", "Swarm", TEXT, "its state in a swarm; engines from 23 on"),
)


def ping_table(exchange: Exchange) -> pd.DataFrame:
    """Make the table of SystemPing: one row out of a body of two letters, and headers."""
    record = {column.key: exchange.header(column.key) or None for column in PING[2:]}
    return array_table(PING, [{"answer": exchange.text, "status": exchange.status, **record}])
