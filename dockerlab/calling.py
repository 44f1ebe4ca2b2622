"""`dockerlab call`: any operation of the endpoint table, its answer as table, JSON, CSV or Parquet."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dockerlab
from dockerlab.encoding import row
from dockerlab.errors import ArgumentError, DockerlabError, printable
from dockerlab.operations import OPERATIONS, Operation
from dockerlab.render import HELPERS

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab import Lab

__all__ = ["call", "listing"]


def listing(part: str = "") -> str:
    """List operations, those with `part` in their name: method, path, parameters (`*` is required)."""
    lines = []
    for operation in OPERATIONS.values():
        if part.lower() in operation.id.lower():
            words = [f"{one.argument}{'*' if one.required else ''}" for one in operation.parameters]
            words += ["body"] if operation.body and operation.body != "json" else []
            lines.append(f"{operation.id:26} {operation.method:6} {operation.path:34} {' '.join(words)}".rstrip())
    return "\n".join(lines)


def call(  # noqa: PLR0913  (one parameter an option of the command)
    name: str, words: Sequence[str], *, form: str, output: str | None, host: str | None, timeout: float
) -> None:
    """Make the request and print or write the answer."""
    operation = row(name)
    arguments = _arguments(operation, words)
    if form == "parquet" and not output:
        raise ArgumentError("Parquet is bytes: give a file with -o FILE.parquet.")
    with dockerlab.connect(host, timeout=timeout) as lab:
        if operation.answer == "tar":
            _save(lab, operation, arguments, output)
        elif form == "json":
            _write(_as_json(lab, operation, arguments), output)
        else:
            _tabulate(_as_table(lab, operation, arguments), form, output)


def _arguments(operation: Operation, words: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE words; the row says what is JSON. `body=@FILE` and `-` read a file and standard input."""
    arguments: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.replace("-", "_")
        if not equals:
            known = ", ".join(operation.by_argument)
            raise ArgumentError(f"{word!r} is not NAME=VALUE. {operation.id} takes: {known}.")
        parameter = operation.by_argument.get(name)
        kind = parameter.type if parameter else "json"
        value = _value(kind, text) if parameter or name != "body" else _body(operation, text)
        if kind == "list" and isinstance(arguments.get(name), list) and isinstance(value, list):
            value = arguments[name] + value
        arguments[name] = value
    return arguments


def _value(kind: str, text: str) -> Any:
    if kind == "list":
        return json.loads(text) if text.startswith("[") else [text]
    if kind in ("json", "filters") and text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ArgumentError(f"{text!r} is not JSON: {error}.") from None
    return text


def _body(operation: Operation, text: str) -> Any:
    if operation.body == "tar":
        return sys.stdin.buffer if text == "-" else text.removeprefix("@")
    source = sys.stdin.read() if text == "-" else Path(text[1:]).read_text("utf-8") if text.startswith("@") else text
    return json.loads(source)


def _as_json(lab: Lab, operation: Operation, arguments: dict[str, Any]) -> str:
    """The engine's own JSON, made readable; several documents are one array, log lines are objects."""
    if operation.answer == "mux":
        from dockerlab.groups.logs import read  # noqa: PLC0415

        with lab.open(operation.id, **_streams(arguments)) as answer:
            lines = read(answer, tty=_tty(lab, operation, arguments), timestamps=arguments.get("timestamps") == "true")
            found: Any = [{"time": line.time, "stream": line.stream, "message": line.message} for line in lines]
    else:
        exchange = lab.call(operation.id, **arguments)
        if operation.answer == "json-lines":
            from dockerlab.streams import json_lines  # noqa: PLC0415

            found = list(json_lines([exchange.body]))
        elif not exchange.body:
            found = {"status": exchange.status}
        elif operation.answer == "text":
            found = exchange.text
        else:
            found = exchange.json()
    return json.dumps(found, indent=2, ensure_ascii=False)


def _as_table(lab: Lab, operation: Operation, arguments: dict[str, Any]) -> pd.DataFrame:
    """The table of the operation's own method, where it has one; a plain one for the others."""
    if operation.id in HELPERS:
        group, method = HELPERS[operation.id].split(".")
        known = dict(arguments)
        places = [one.argument for one in operation.parameters if one.place == "path"]
        path = [known.pop(place) for place in places if place in known]
        table: pd.DataFrame = getattr(getattr(lab, group), method)(*path, **_typed(operation, known))
        return table
    import pandas as pd  # noqa: PLC0415

    found = json.loads(_as_json(lab, operation, arguments))
    if isinstance(found, list):
        return pd.json_normalize(found) if found and isinstance(found[0], dict) else pd.DataFrame({"value": found})
    from dockerlab.tables.build import object_table  # noqa: PLC0415

    return object_table(found)


def _typed(operation: Operation, arguments: dict[str, Any]) -> dict[str, Any]:
    """A method's flags are True and False."""
    words = {"true": True, "1": True, "false": False, "0": False}
    return {
        name: words.get(str(value).lower(), value)
        if (one := operation.by_argument.get(name)) is not None and one.type == "bool"
        else value
        for name, value in arguments.items()
    }


def _streams(arguments: dict[str, Any]) -> dict[str, Any]:
    return arguments if {"stdout", "stderr"} & set(arguments) else {"stdout": True, "stderr": True, **arguments}


def _tty(lab: Lab, operation: Operation, arguments: dict[str, Any]) -> bool:
    if operation.id != "ContainerLogs":
        return False
    return bool(lab.call("ContainerInspect", id=arguments.get("id")).json()["Config"]["Tty"])


def _save(lab: Lab, operation: Operation, arguments: dict[str, Any], output: str | None) -> None:
    if not output:
        raise ArgumentError(f"{operation.id} answers with a tar: give a file with -o FILE.tar.")
    from dockerlab.groups.export import save  # noqa: PLC0415

    saved = save(lab.open(operation.id, **arguments), output, None)
    _write(f"{saved['path'].iloc[0]}: {saved['size_bytes'].iloc[0]} bytes", None)


def _tabulate(table: pd.DataFrame, form: str, output: str | None) -> None:
    if form == "csv":
        _write(table.to_csv(index=False).rstrip("\n"), output)
    elif form == "parquet":
        try:
            table.to_parquet(str(output), index=False)
        except ImportError:
            raise DockerlabError("Parquet needs pyarrow: pip install 'dockerlab[parquet]'.") from None
    else:
        full = table.loc[:, table.notna().any()] if len(table) else table
        _write(full.to_string(index=False, max_colwidth=60), output)


def _write(text: str, output: str | None) -> None:
    if output:
        Path(output).write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(printable(text) + "\n")
