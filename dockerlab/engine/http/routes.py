"""Turns a request line into a Request: the version in the path, the operation, its parameters."""

from __future__ import annotations

import re
from typing import IO
from urllib.parse import parse_qs, unquote

from dockerlab.engine.faults import BadParameter, NotFound, TooOld
from dockerlab.engine.http.messages import Request
from dockerlab.protocol.operations import NEWEST, Operation, find, version_number

__all__ = ["Body", "ends_with_client", "operation_of", "request_for", "takes_upload"]

NEWEST_VERSION, OLDEST_VERSION = version_number(NEWEST), (1, 24)
MOST_DIGITS = 9  #: of each part of a version
#: Operations that take a tar, although their row in the endpoint table says otherwise.
UPLOADS = {"ImageCreate"}
#: Operations without an upload that read many files, or ask another host, before they respond.
CANCELLABLE = {"ImageCommit", "SystemAuth", "DistributionInspect"}
#: A document in memory, or an upload in a file that is deleted after the response.
Body = bytes | IO[bytes]


def request_for(method: str, target: str, headers: dict[str, str], body: Body) -> Request:
    """Find the operation that a request names, and read its parameters. Raises BadParameter, NotFound."""
    path_and_version, _, query = target.partition("?")
    version, path = _version(path_and_version), _path(path_and_version)
    operation = find(method, path)
    if operation is None or version_number(operation.since) > NEWEST_VERSION:
        raise NotFound("page not found")
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(operation.path))
    match = re.fullmatch(pattern, path)
    in_path = match.groupdict() if match else {}
    in_query = parse_qs(query, keep_blank_values=True)
    if isinstance(body, bytes):
        return Request(operation, version, in_path, in_query, headers, body)
    return Request(operation, version, in_path, in_query, headers, upload=body)


def operation_of(method: str, target: str) -> Operation | None:
    """Return the operation that a request is for; None if there is no such operation."""
    return find(method, _path(target.partition("?")[0]))


def takes_upload(operation: Operation | None) -> bool:
    """Tell whether the body of a request is a file rather than a document."""
    return operation is not None and (operation.body == "tar" or operation.id in UPLOADS)


def ends_with_client(operation: Operation | None) -> bool:
    """Tell whether an operation's work ends when its client goes away before the response.

    These operations work in a thread that can be cancelled. Every other one is carried out in any case.
    """
    return takes_upload(operation) or (operation is not None and operation.id in CANCELLABLE)


def _path(path: str) -> str:
    """Return a path without the version in front of it."""
    return unquote(re.sub(r"^/v\d+(\.\d+)*(?=/)", "", path))


def _version(path: str) -> tuple[int, ...]:
    """Return the version that a path names, or the newest one. Raises BadParameter in Docker's words."""
    prefix = re.match(r"/v(\d+(?:\.\d+)*)/", path)
    if prefix is None:
        return NEWEST_VERSION
    is_number = max(map(len, prefix[1].split("."))) <= MOST_DIGITS
    version = version_number(prefix[1]) if is_number else ()
    if version > NEWEST_VERSION or not is_number:
        raise BadParameter(f"client version {prefix[1]} is too new. Maximum supported API version is {NEWEST}")
    if version < OLDEST_VERSION:
        raise TooOld(
            f"client version {prefix[1]} is too old. Minimum supported API version is 1.24, "
            "please upgrade your client to a newer version"
        )
    return version
