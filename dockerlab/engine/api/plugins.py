"""Handlers of the plugin operations: there is none, and an engine without plugins answers as Docker without plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine.common import filters
from dockerlab.engine.faults import BadParameter, NotFound
from dockerlab.engine.http.messages import Request, Response, json_response

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "plugin_list", "plugin_missing"]

FILTERS = {"capability", "enabled"}


async def plugin_list(engine: Engine, request: Request) -> Response:
    """GET /plugins."""
    for name in filters.parse(request.text("filters")):
        if name not in FILTERS:
            raise BadParameter(f"invalid filter '{name}'")
    return json_response([])


async def plugin_missing(engine: Engine, request: Request) -> Response:
    """Every operation on one plugin."""
    raise NotFound(f'plugin "{request.id}" not found')


HANDLERS = {
    "PluginList": plugin_list,
    "PluginInspect": plugin_missing,
    "PluginDelete": plugin_missing,
    "PluginEnable": plugin_missing,
    "PluginDisable": plugin_missing,
    "PluginSet": plugin_missing,
}
