"""Reads the JSON body of a request as the type that Docker's has.

All messages are those of Go's JSON decoder, which Docker passes on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.go_json import InvalidJson, loads
from dockerlab.engine.common.go_types import WrongType, decode
from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from dockerlab.protocol.operations import Operation

__all__ = ["read"]

JSON = "application/json"
#: Its parts are possessive, because the text may be a long one that doesn't match. The group around them is not,
#: because Python before 3.11.5 repeats such groups wrongly.
MEDIA_TYPE = re.compile(
    r"\s*+[\w!#$&^.+-]++(?:/[\w!#$&^.+-]++)?\s*+(?:;\s*+[\w-]++=(?:\"[^\"]*+\"|[^\s;\"]++)\s*+)*;?\s*+"
)
#: operationId -> Go's type of the body.
TYPES = {
    "ContainerCreate": "container.CreateRequest",
    "ContainerExec": "container.ExecOptions",
    "ContainerUpdate": "container.UpdateConfig",
    "ExecStart": "container.ExecStartOptions",
    "ImageCommit": "container.CreateRequest",
    "NetworkConnect": "network.ConnectOptions",
    "NetworkCreate": "network.CreateRequest",
    "NetworkDisconnect": "network.DisconnectOptions",
    "VolumeCreate": "volume.CreateOptions",
}


def read(operation: Operation, content_type: str, body: bytes) -> dict[str, Any]:
    """Return the object in a body; `null` counts as an empty object. Raises BadParameter."""
    if not body.strip():
        raise BadParameter("invalid JSON: got EOF while reading request body")
    _check_content_type(content_type)
    try:
        return decode(TYPES[operation.id], loads(body)) or {}
    except WrongType as error:
        raise BadParameter(f"invalid JSON: {error}") from None
    except InvalidJson as error:
        if error.is_trailing:
            raise BadParameter("unexpected content after JSON") from None
        raise BadParameter(f"invalid JSON: {'unexpected EOF' if error.is_incomplete else error}") from None


def _check_content_type(text: str) -> None:
    if not text.strip():
        raise BadParameter("malformed Content-Type header (): mime: no media type")
    if not MEDIA_TYPE.fullmatch(text):
        raise BadParameter(f"malformed Content-Type header ({text}): mime: invalid media parameter")
    if text.partition(";")[0].strip().lower() != JSON:
        raise BadParameter(f"unsupported Content-Type header ({text}): must be '{JSON}'")
