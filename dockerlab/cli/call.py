"""`dockerlab call`: find the operation, send the request, and write the response where it belongs."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from dockerlab.cli import call_response, output
from dockerlab.cli.call_arguments import find_operation, parse_arguments
from dockerlab.errors import ArgumentError, DockerlabError, printable
from dockerlab.lab.lab import Lab, connect
from dockerlab.protocol.operations import OLDEST, OPERATIONS, Operation
from dockerlab.protocol.request import check_names, has_no_end

__all__ = ["call_operation", "show_operations"]

TIMEOUT_SECONDS = 60.0
#: The argument that gives an endless response an end; for all other operations it is `follow=false`.
BOUNDS = {"ContainerStats": "stream=false", "SystemEvents": "until=0s"}


def call_operation(  # noqa: PLR0913  (one parameter per option of the command line)
    name: str,
    words: Iterable[str],
    *,
    form: str | None,
    output_file: Path | None,
    columns: str | None,
    host: str | None,
    timeout: float | None,
) -> int:
    """Send the request, write the response, and return the exit code.

    Raises DockerlabError if a stream of messages ends with an error.
    """
    operation = find_operation(name)
    arguments = parse_arguments(operation, words)
    _refuse_unsuitable(operation, arguments, form, output_file, timeout)
    with connect(host, timeout=timeout or TIMEOUT_SECONDS) as lab:
        if operation.answer == "tar" and form is None and output_file is not None:
            return _save(lab, operation, arguments, output_file)
        if form == "json" and not columns:
            document = call_response.document(lab, operation, arguments, timeout)
            _write((output.json_text(document) + "\n").encode(), output_file)
            _raise_streamed_error(document)
            return 0
        frame = call_response.table(lab, operation, arguments, timeout)
    frame = output.choose_columns(frame, columns) if columns else frame
    _write_frame(frame, form or "table", output_file)
    if operation.answer == "json-lines":
        _raise_streamed_error(frame.to_dict("records"))
    return 0


def _refuse_unsuitable(
    operation: Operation, arguments: dict[str, Any], form: str | None, output_file: Path | None, timeout: float | None
) -> None:
    """Raise ArgumentError for wrong arguments, or for a response that can't be shown, before the request is sent."""
    check_names(operation, arguments)
    if operation.answer in ("hijack", "websocket"):
        raise ArgumentError(
            f"{operation.id} opens a two-way stream, which `dockerlab call` can't show. Use the docker command instead."
        )
    if has_no_end(operation, arguments) and timeout is None:
        bound = BOUNDS.get(operation.id, "follow=false")
        raise ArgumentError(
            f"The response of {operation.id} with these arguments has no end: add --timeout SECONDS, or {bound}."
        )
    if operation.answer == "tar" and form is None and output_file is None:
        raise ArgumentError(
            f"The response of {operation.id} is a tar archive: write it to a file with -o FILE, "
            "or list its contents with --format table."
        )
    if form == "parquet" and output_file is None and sys.stdout.isatty():
        raise ArgumentError("Parquet is a binary format: write it to a file with -o FILE.")


def _save(lab: Lab, operation: Operation, arguments: dict[str, Any], path: Path) -> int:
    size = call_response.save(lab.open(operation.id, **arguments), path)
    click.echo(f"{path}: {size} bytes")
    return 0


def _raise_streamed_error(documents: Any) -> None:
    """Raise the error that ends a stream of messages: such a response began with status 200 long before."""
    last = documents[-1] if isinstance(documents, list) and documents else None
    if isinstance(last, dict) and isinstance(last.get("error"), str):
        raise DockerlabError(printable(last["error"]))


# -- writing -------------------------------------------------------------------------------------------------


def _write(content: bytes, path: Path | None) -> None:
    if path is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ArgumentError(f"{path} can't be written: {error.strerror}.") from None


def _write_frame(frame: Any, form: str, path: Path | None) -> None:
    on_terminal = path is None and sys.stdout.isatty()
    if form == "parquet":
        _write(output.parquet(frame), path)
    elif form == "csv":
        text = output.csv_text(frame)
        _write((printable(text) if on_terminal else text).encode(), path)
    elif form == "json":
        _write(frame.to_json(orient="records", date_format="iso", indent=2).encode() + b"\n", path)
    else:
        width = shutil.get_terminal_size().columns if on_terminal else None
        lines, hidden = output.table_text(frame, width)
        _write(("\n".join(lines) + "\n").encode(), path)
        if hidden:
            with contextlib.suppress(BrokenPipeError):
                click.echo(f"({len(hidden)} more: {', '.join(hidden)}; choose with --columns)", err=True)


# -- the list of operations ----------------------------------------------------------------------------------


def show_operations(word: str) -> None:
    """List the operations whose name contains a word, or describe the one that has exactly this name."""
    with contextlib.suppress(DockerlabError):
        _describe(find_operation(word))
        return
    matches = [operation for operation in OPERATIONS.values() if word.lower() in operation.id.lower()]
    if not matches:
        find_operation(word)  # raises, with the nearest names
    columns = [
        [operation.id for operation in matches],
        [operation.method for operation in matches],
        [operation.path for operation in matches],
        [_arguments(operation) for operation in matches],
    ]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo("\n".join(output.lines(columns, [False] * 4, width)))


def _arguments(operation: Operation) -> str:
    parameters = operation.parameters
    return " ".join(f"{parameter.argument}{'*' if parameter.required else ''}" for parameter in parameters)


def _describe(operation: Operation) -> None:
    """Print where each argument of an operation goes, its type, and the API version that introduced it."""
    click.echo(f"{operation.id}  {operation.method} {operation.path}  response: {operation.answer}")
    if not operation.parameters and not operation.body:
        click.echo("It takes no arguments.")
        return
    rows = [
        (one.argument, one.type, one.place, "required" if one.required else "", _since(one.since))
        for one in operation.parameters
    ]
    if operation.body in ("tar", "list"):
        rows.append(("body", operation.body, "body", "required" if operation.body_required else "", ""))
    heads = ("argument", "type", "in", "", "")
    columns = [list(column) for column in zip(heads, *rows, strict=True)]
    click.echo("\n".join(output.lines(columns, [False] * len(heads), None)))


def _since(version: str) -> str:
    return "" if version == OLDEST else f"since API {version}"
