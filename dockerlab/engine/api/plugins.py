"""Handlers of the plugin operations, which answer as Docker does when it has no plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine.faults import BadParameter, NotFound
from dockerlab.engine.http.messages import Request, Response, json_response

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "plugin_list", "plugin_missing"]

FILTERS = {"capability", "enabled"}


async def plugin_list(engine: Engine, request: Request) -> Response:
    """GET /plugins."""
    for name in request.filters():
        if name not in FILTERS:
            raise BadParameter(f"invalid filter '{name}'")
    return json_response([])


async def plugin_missing(engine: Engine, request: Request) -> Response:
    """Answer every operation on a single plugin: there is none."""
    raise NotFound(f'plugin "{request.id}" not found')


HANDLERS = {
    "PluginList": plugin_list,
    "PluginInspect": plugin_missing,
    "PluginDelete": plugin_missing,
    "PluginEnable": plugin_missing,
    "PluginDisable": plugin_missing,
    "PluginSet": plugin_missing,
}
