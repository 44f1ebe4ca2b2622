"""`dockerlab call`: the request is sent, and the response becomes JSON, a table or a file."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dockerlab.errors import EngineTimeout
from dockerlab.groups.following import Following
from dockerlab.groups.logs import read_log
from dockerlab.protocol.operations import Operation, snake_case
from dockerlab.protocol.render import HELPERS
from dockerlab.protocol.request import has_no_end
from dockerlab.protocol.streams import json_lines, tar_members

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab.lab import Lab
    from dockerlab.transport.transport import Response

__all__ = ["document", "save", "table"]

CHUNK = 1 << 16
NOT_MODIFIED = 304
T = TypeVar("T")


def document(lab: Lab, operation: Operation, arguments: dict[str, Any], seconds: float | None) -> Any:
    """Send the request and return the response's JSON. A log or a tar becomes the records of its table."""
    if operation.answer == "json-lines":
        return _documents(lab, operation, arguments, seconds)
    if operation.answer in ("mux", "tar"):
        frame = table(lab, operation, arguments, seconds)
        return json.loads(frame.to_json(orient="records", date_format="iso", date_unit="ns"))
    exchange = lab.call(operation.id, **arguments)
    if operation.answer == "text":
        return exchange.text
    if exchange.body.strip():
        return exchange.json()
    return {"operation": operation.id, "status": exchange.status, "changed": exchange.status != NOT_MODIFIED}


def table(lab: Lab, operation: Operation, arguments: dict[str, Any], seconds: float | None) -> pd.DataFrame:
    """Send the request and return the response as a table, made by the group's method if there is one."""
    if operation.answer == "mux":
        return _log(lab, operation, arguments, seconds)
    method = _method(lab, operation, arguments)
    if method is None:
        return _table_without_method(lab, operation, arguments, seconds)
    if has_no_end(operation, arguments):
        return method(**arguments, limit=seconds).table()  # type: ignore[no-any-return]
    return method(**arguments)  # type: ignore[no-any-return]


def _table_without_method(
    lab: Lab, operation: Operation, arguments: dict[str, Any], seconds: float | None
) -> pd.DataFrame:
    from dockerlab.tables import build
    from dockerlab.tables.container import member_table

    if operation.answer == "tar":
        with lab.open(operation.id, **arguments) as response:
            return member_table(tar_members(response.chunks(CHUNK)))
    if operation.answer == "json-lines":
        return _table_of_records(_documents(lab, operation, arguments, seconds))
    exchange = lab.call(operation.id, **arguments)
    if operation.answer == "none" or not exchange.body.strip():
        return build.outcome_table(exchange)
    content = exchange.text if operation.answer == "text" else exchange.json()
    if isinstance(content, dict):
        return build.object_table(content)
    return _table_of_records(content if isinstance(content, list) else [content])


def save(response: Response, path: Path) -> int:
    """Write a tar to a file, which gets its name once it is complete, and return its size in bytes."""
    from dockerlab.groups.save_tar import save_tar

    return int(save_tar(response, path, None).loc[0, "size_bytes"])  # type: ignore[arg-type]


def _method(lab: Lab, operation: Operation, arguments: dict[str, Any]) -> Callable[..., Any] | None:
    """Return the group's method for an operation, if there is one that takes these arguments."""
    group, _, name = HELPERS.get(operation.id, "").partition(".")
    if not name:
        return None
    method: Callable[..., Any] = getattr(getattr(lab, group), name)
    return method if set(arguments) <= set(inspect.signature(method).parameters) else None


def _log(lab: Lab, operation: Operation, arguments: dict[str, Any], seconds: float | None) -> pd.DataFrame:
    from dockerlab.tables.log import log_table

    if not {"stdout", "stderr"} & set(arguments):
        arguments = {**arguments, "stdout": True, "stderr": True}
    tty = False
    if operation.id == "ContainerLogs":
        tty = lab.call("ContainerInspect", id=arguments["id"]).json()["Config"]["Tty"]

    def read() -> Any:
        return read_log(lab, operation.id, tty=tty, text=True, limit=seconds, timeout=seconds, **arguments)

    if not arguments.get("follow"):
        log: pd.DataFrame = read()
        return log
    return log_table(_records_until_limit(read), timestamps=arguments.get("timestamps") is True, text=True)


def _documents(lab: Lab, operation: Operation, arguments: dict[str, Any], seconds: float | None) -> list[Any]:
    if seconds is None or not has_no_end(operation, arguments):
        with lab.open(operation.id, timeout=seconds, **arguments) as response:
            return list(json_lines(response.chunks(CHUNK)))

    def follow() -> Following[Any]:
        return Following(lab.open(operation.id, timeout=seconds, **arguments), json_lines, limit=seconds)

    return _records_until_limit(follow)


def _records_until_limit(follow: Callable[[], Following[T]]) -> list[T]:
    """Return the records that come until the stream's time limit, or until Ctrl-C.

    An engine may send no headers before the first record, so the time may be over before the stream begins.
    """
    records: list[T] = []
    with contextlib.suppress(EngineTimeout, KeyboardInterrupt), follow() as stream:
        for record in stream:
            records.append(record)
    return records


def _table_of_records(records: list[Any]) -> pd.DataFrame:
    """Return a table with one column per key, in the engine's order."""
    import pandas as pd

    rows = [record if isinstance(record, dict) else {"value": record} for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {snake_case(name): pd.Series([row.get(name) for row in rows], dtype=object) for name in names}
    return pd.DataFrame({name: column.convert_dtypes() for name, column in columns.items()})
