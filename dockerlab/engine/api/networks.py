"""Handlers of the network operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.views import network as network_view
from dockerlab.engine.common.filters import prune_filter
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.messages import Request, Response, json_response, no_content

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = [
    "HANDLERS",
    "network_connect",
    "network_create",
    "network_delete",
    "network_disconnect",
    "network_inspect",
    "network_list",
    "network_prune",
]


async def network_list(engine: Engine, request: Request) -> Response:
    """GET /networks."""
    networks = engine.networks.select(request.filters(), engine.endpoints.used_network_ids())
    return json_response([network_view.network(network, request.version) for network in networks])


async def network_inspect(engine: Engine, request: Request) -> Response:
    """GET /networks/{id}."""
    network = engine.networks.find(request.id)
    if request.text("scope") not in ("", network["Scope"]):
        raise BadParameter(f"network {request.id} not found")
    return json_response(network_view.network(network, request.version, engine.endpoints))


async def network_create(engine: Engine, request: Request) -> Response:
    """POST /networks/create."""
    network = engine.networks.create(request.json())
    return json_response({"Id": network["Id"], "Warning": ""}, 201)


async def network_delete(engine: Engine, request: Request) -> Response:
    """DELETE /networks/{id}."""
    engine.endpoints.remove_network(engine.networks.find(request.id))
    return no_content()


async def network_connect(engine: Engine, request: Request) -> Response:
    """POST /networks/{id}/connect."""
    body = request.json()
    container = engine.containers.find(_container_name(body))
    engine.endpoints.connect(request.id, container.record, body.get("EndpointConfig") or {})
    return Response(200)


def _container_name(body: dict[str, Any]) -> str:
    """Return the name of the container in a body. Raises BadParameter if it has none."""
    if not body.get("Container"):
        raise BadParameter('invalid name or ID supplied: ""')
    return str(body["Container"])


async def network_disconnect(engine: Engine, request: Request) -> Response:
    """POST /networks/{id}/disconnect."""
    body, network = request.json(), engine.networks.find(request.id)
    engine.endpoints.disconnect(network, engine.containers.find(_container_name(body)).record)
    return Response(200)


async def network_prune(engine: Engine, request: Request) -> Response:
    """POST /networks/prune."""
    names = engine.endpoints.prune_networks(prune_filter(request.filters()))
    engine.events.publish("network", "prune", "", {"reclaimed": "0"})
    return json_response({"NetworksDeleted": names or None})


HANDLERS = {
    "NetworkList": network_list,
    "NetworkInspect": network_inspect,
    "NetworkCreate": network_create,
    "NetworkDelete": network_delete,
    "NetworkConnect": network_connect,
    "NetworkDisconnect": network_disconnect,
    "NetworkPrune": network_prune,
}
