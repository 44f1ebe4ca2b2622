"""Handlers of the network operations: the three networks that are always there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine import nets
from dockerlab.engine.faults import BadParameter, NotFound
from dockerlab.engine.filters import parse
from dockerlab.engine.messages import Answer, Request, json_answer

if TYPE_CHECKING:
    from dockerlab.engine.core import Engine

__all__ = ["HANDLERS", "network_inspect", "network_list"]


async def network_list(engine: Engine, request: Request) -> Answer:
    """GET /networks."""
    filters = parse(request.text("filters"))
    for name in filters:
        if name not in nets.MATCHES:
            raise BadParameter(f"invalid filter '{name}'")
    found = [nets.network(name, engine.started, request.version) for name in nets.NAMES]
    return json_answer([record for record in found if nets.matches(record, filters)])


async def network_inspect(engine: Engine, request: Request) -> Answer:
    """GET /networks/{id}."""
    for name in nets.NAMES:
        if request.id == name or (request.id and nets.identity(name).startswith(request.id)):
            return json_answer(nets.network(name, engine.started, request.version))
    raise NotFound(f"network {request.id} not found")


HANDLERS = {"NetworkList": network_list, "NetworkInspect": network_inspect}
