"""`dockerlab call`: words of a command line to arguments, by the endpoint table; the answer as JSON or as a table."""

from __future__ import annotations

import inspect
import json
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.errors import ArgumentError, EngineTimeout
from dockerlab.protocol import schemas
from dockerlab.protocol.operations import OPERATIONS, Operation, Parameter, snake_case
from dockerlab.protocol.request import has_no_end, row

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab.lab import Lab
    from dockerlab.transport.transport import Answer

__all__ = ["arguments", "document", "operation", "save", "table"]

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
CHUNK = 1 << 16


def operation(name: str) -> Operation:
    """Give a row by its operationId, in whatever case. Raises ArgumentError with the nearest ones."""
    folded = {known.lower(): known for known in OPERATIONS}
    return row(folded.get(name.lower(), name))


# -- words to arguments --------------------------------------------------------------------------------------


def arguments(asked: Operation, words: Iterable[str]) -> dict[str, Any]:
    """Read `key=value` words as an operation's arguments, each typed as its row says.

    A key is snake_case or the API's own spelling. A word without `=` is the name or id in the path. A list may be
    repeated, or be JSON; `filters.status=running` puts one value into an object; `body=@FILE` reads a file.
    Raises ArgumentError for what can't be read.
    """
    known = {name: one for one in asked.parameters for name in (one.argument, one.name)}
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        key, dot, field = key.partition(".")
        if not equals:
            key, dot, field, text = _first(asked, word, found), "", "", word
        one = known.get(key)
        if one is None:
            found[key] = _body(asked, text) if key == "body" and asked.body else text  # encoding knows what is wrong
        elif dot and one.type in ("filters", "json"):
            _put(found.setdefault(one.argument, {}), field, text, one, _own_keys(asked, one))
        elif one.type == "list" and one.argument in found and isinstance(found[one.argument], list):
            found[one.argument] += _list(text)
        else:
            found[one.argument] = _value(asked, one, text)
    return found


def _first(asked: Operation, word: str, found: dict[str, Any]) -> str:
    for one in asked.parameters:
        if one.place == "path" and one.argument not in found:
            return one.argument
    raise ArgumentError(f"{word!r} says nothing to {asked.id}: write arguments as key=value.")


def _own_keys(asked: Operation, one: Parameter) -> bool:
    """Are the keys of this object the user's own, and may so have dots in them: labels, options?"""
    return one.place == "body" and schemas.fields(asked.id)[one.name].startswith("{")


def _put(target: Any, field: str, text: str, one: Parameter, own: bool) -> None:
    """Put one value into an object, at a dotted place unless its keys are the user's own; filters hold lists."""
    if not isinstance(target, dict):
        raise ArgumentError(f"Give `{one.argument}` either whole or by its fields, not both.")
    if one.type == "filters":
        target.setdefault(field, []).append(text)
        return
    *outer, last = [field] if own else field.split(".")
    for name in outer:
        target = target.setdefault(name, {})
    target[last] = text if own and isinstance(text, str) and not text.startswith(("{", "[")) else _loose(text)


def _value(asked: Operation, one: Parameter, text: str) -> Any:
    if one.type in ("json", "filters") or (one.place == "header" and text.startswith("{")):
        return _json(f"{asked.id}: `{one.argument}`", text)
    if one.type == "list":
        return _list(text)
    if one.type == "time":
        return _moment(text)
    if one.type == "bool" and text.lower() in TRUTHS:
        return TRUTHS[text.lower()]
    if one.type == "int" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if one.type in ("bool", "int"):
        wanted = "true or false" if one.type == "bool" else "a whole number"
        raise ArgumentError(f"{asked.id}: `{one.argument}` is {wanted}, not {text!r}.")
    return text


def _json(what: str, text: str) -> Any:
    try:
        return json.loads(_file(text) if text.startswith("@") else text)
    except ValueError as error:
        raise ArgumentError(f"""{what} is JSON, such as '{{"status":["running"]}}', and {error}.""") from None


def _list(text: str) -> list[Any]:
    if text.startswith("["):
        whole = _json("A list", text)
        return whole if isinstance(whole, list) else [whole]
    return [text]


def _loose(text: str) -> Any:
    """Read JSON where it is JSON, else take the text as it stands."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _moment(text: str) -> Any:
    """Read `10m` or `1h30m` (so long ago), a date, or seconds since 1970."""
    if re.fullmatch(r"(\d+[dhms])+", text):
        return timedelta(seconds=sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", text)))
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError(
            f"{text!r} is not a time: write 10m (so long ago), 2026-01-31T12:00:00Z or seconds."
        ) from None


def _file(text: str) -> bytes:
    try:
        return Path(text.removeprefix("@")).expanduser().read_bytes()
    except OSError as error:
        raise ArgumentError(f"{text.removeprefix('@')} can't be read: {error.strerror}.") from None


def _body(asked: Operation, text: str) -> Any:
    if asked.body != "tar":
        return _json(f"{asked.id}: `body`", text)
    path = Path(text.removeprefix("@")).expanduser()
    if not path.is_file():
        raise ArgumentError(f"{asked.id}: `body` is the name of a tar file, and {path} is none.")
    return path


# -- answers -------------------------------------------------------------------------------------------------


def document(lab: Lab, asked: Operation, given: dict[str, Any], seconds: float | None) -> Any:
    """Ask, and give the answer's JSON; for an answer that isn't JSON, the records of its table."""
    if asked.answer == "json-lines":
        return _documents(lab, asked, given, seconds)
    if asked.answer in ("mux", "tar"):
        return json.loads(
            table(lab, asked, given, seconds).to_json(orient="records", date_format="iso", date_unit="ns")
        )
    exchange = lab.call(asked.id, **given)
    if asked.answer == "text":
        return exchange.text
    if exchange.body.strip():
        return exchange.json()
    return {"operation": asked.id, "status": exchange.status, "changed": exchange.status != 304}  # noqa: PLR2004


def table(lab: Lab, asked: Operation, given: dict[str, Any], seconds: float | None) -> pd.DataFrame:
    """Ask, and give the answer as the DataFrame of its group's method; without one, as its fields are."""
    from dockerlab.tables import build  # noqa: PLC0415  (pandas)

    method = _method(lab, asked, given)
    if asked.answer == "mux":
        return _log(lab, asked, given, seconds)
    if method is not None:
        found: Any = method(**given, **({"limit": seconds} if has_no_end(asked, given) else {}))
        return found.table() if has_no_end(asked, given) else found  # type: ignore[no-any-return]
    if asked.answer == "tar":
        from dockerlab.protocol.streams import tar_members  # noqa: PLC0415
        from dockerlab.tables.container import member_table  # noqa: PLC0415

        with lab.open(asked.id, **given) as answer:
            return member_table(tar_members(answer.chunks(CHUNK)))
    if asked.answer == "json-lines":
        return _records(_documents(lab, asked, given, seconds))
    exchange = lab.call(asked.id, **given)
    if asked.answer == "none" or not exchange.body.strip():
        return build.done_table(exchange)
    told = exchange.text if asked.answer == "text" else exchange.json()
    return build.object_table(told) if isinstance(told, dict) else _records(told if isinstance(told, list) else [told])


def save(answer: Answer, to: Path, progress: Callable[[int], Any] | None = None) -> int:
    """Write a tar into a file, which gets its name when it is whole; gives its size in bytes."""
    from dockerlab.groups.save_tar import save as save_tar  # noqa: PLC0415  (pandas)

    return int(save_tar(answer, to, progress).loc[0, "size_bytes"])  # type: ignore[arg-type]


def _method(lab: Lab, asked: Operation, given: dict[str, Any]) -> Callable[..., pd.DataFrame] | None:
    """Give the group's method for an operation, if it has one that takes these arguments."""
    from dockerlab.protocol.render import HELPERS  # noqa: PLC0415

    group, _, name = HELPERS.get(asked.id, "").partition(".")
    if not name:
        return None
    method: Callable[..., pd.DataFrame] = getattr(getattr(lab, group), name)
    return method if set(given) <= set(inspect.signature(method).parameters) else None


def _log(lab: Lab, asked: Operation, given: dict[str, Any], seconds: float | None) -> pd.DataFrame:
    from dockerlab.groups.logs import read  # noqa: PLC0415
    from dockerlab.tables.log import log_table  # noqa: PLC0415

    if not {"stdout", "stderr"} & set(given):
        given = {**given, "stdout": True, "stderr": True}
    tty = asked.id == "ContainerLogs" and lab.call("ContainerInspect", id=given.get("id")).json()["Config"]["Tty"]
    stamped = given.get("timestamps") is True

    def lines() -> Iterator[Any]:
        with lab.open(asked.id, timeout=seconds, **given) as answer:
            yield from read(answer, tty=tty, timestamps=stamped)

    found = _until(seconds if has_no_end(asked, given) else None, lines())
    return log_table(found, timestamps=stamped, text=True)


def _documents(lab: Lab, asked: Operation, given: dict[str, Any], seconds: float | None) -> list[Any]:
    from dockerlab.protocol.streams import json_lines  # noqa: PLC0415

    def documents() -> Iterator[Any]:
        with lab.open(asked.id, timeout=seconds, **given) as answer:
            yield from json_lines(answer.chunks(CHUNK))

    return _until(seconds if has_no_end(asked, given) else None, documents())


class _Over(BaseException):
    """The time is over: no error, and nothing between here and there may take it for one."""


def _until(seconds: float | None, records: Iterator[Any]) -> list[Any]:
    """Read records until there are no more, or for so many seconds, or until Ctrl-C if there is such a limit."""
    found: list[Any] = []
    try:
        with _alarm(seconds):
            for record in records:
                found.append(record)
    except (_Over, EngineTimeout, KeyboardInterrupt):
        if seconds is None:
            raise
    return found


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Interrupt whatever is read after so many seconds: a read may wait for as long as nothing comes."""
    if seconds is None:
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise _Over

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _records(records: list[Any]) -> pd.DataFrame:
    """Make a table of what has no columns of its own: a column for each key, in the engine's order."""
    import pandas as pd  # noqa: PLC0415

    rows = [record if isinstance(record, dict) else {"value": record} for record in records]
    names = list(dict.fromkeys(name for one in rows for name in one))
    columns = {snake_case(name): pd.Series([one.get(name) for one in rows], dtype=object) for name in names}
    return pd.DataFrame({name: column.convert_dtypes() for name, column in columns.items()})
