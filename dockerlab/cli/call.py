"""What `dockerlab call` does: finds the operation, asks, and puts the answer where it belongs."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from dockerlab.cli import call_arguments
from dockerlab.cli import output as formats
from dockerlab.errors import ArgumentError, DockerlabError, printable
from dockerlab.protocol.operations import OPERATIONS, Operation
from dockerlab.protocol.request import has_no_end

__all__ = ["call", "listing"]

TIMEOUT = 60.0


def call(  # noqa: PLR0913  (what the command line can say)
    name: str,
    words: Iterable[str],
    *,
    form: str | None,
    output: Path | None,
    columns: str | None,
    host: str | None,
    timeout: float | None,
) -> int:
    """Ask, and write the answer. Gives the exit code: 1 if a stream of messages ended with an error."""
    asked = call_arguments.operation(name)
    given = call_arguments.arguments(asked, words)
    _refuse(asked, given, form, output, timeout)
    import dockerlab  # noqa: PLC0415

    with dockerlab.connect(host, timeout=timeout or TIMEOUT) as lab:
        if asked.answer == "tar" and form is None and output is not None:
            return _save(lab, asked, given, output)
        if form == "json" and not columns:
            document = call_arguments.document(lab, asked, given, timeout)
            _write((formats.json_text(document) + "\n").encode(), output)
            return _said_no(document)
        frame = call_arguments.table(lab, asked, given, timeout)
    frame = formats.choose_columns(frame, columns) if columns else frame
    _write_frame(frame, form or "table", output)
    return _said_no(frame.to_dict("records") if asked.answer == "json-lines" else None)


def _refuse(
    asked: Operation, given: dict[str, Any], form: str | None, output: Path | None, limit: float | None
) -> None:
    """Say now what could only end badly."""
    if asked.answer in ("hijack", "websocket"):
        raise ArgumentError(
            f"{asked.id} turns its connection into a two-way stream, which can't be shown here. Use the docker command."
        )
    if has_no_end(asked, given) and limit is None:
        bounded = {"ContainerStats": "stream=false", "SystemEvents": "until=0s"}.get(asked.id, "follow=false")
        raise ArgumentError(f"{asked.id} has no end when asked like this: add --timeout SECONDS, or {bounded}.")
    if asked.answer == "tar" and form is None and output is None:
        raise ArgumentError(f"{asked.id} answers with a tar: -o FILE writes it, --format table lists what is in it.")
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise ArgumentError("Parquet is not for the eye: add -o FILE.")


def _save(lab: Any, asked: Operation, given: dict[str, Any], output: Path) -> int:
    size = call_arguments.save(lab.open(asked.id, **given), output)
    click.echo(f"{output}: {size} bytes")
    return 0


def _said_no(documents: Any) -> int:
    """Look for an error inside of a stream of messages: its status was 200 long before."""
    last = documents[-1] if isinstance(documents, list) and documents else None
    if isinstance(last, dict) and isinstance(last.get("error"), str):
        raise DockerlabError(printable(last["error"]))
    return 0


# -- writing -------------------------------------------------------------------------------------------------


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise ArgumentError(f"{output} can't be written: {error.strerror}.") from None


def _write_frame(frame: Any, form: str, output: Path | None) -> None:
    if form == "parquet":
        _write(formats.parquet(frame), output)
    elif form == "csv":
        text = formats.csv_text(frame)
        _write((printable(text) if output is None and sys.stdout.isatty() else text).encode(), output)
    elif form == "json":
        _write(frame.to_json(orient="records", date_format="iso", indent=2).encode() + b"\n", output)
    else:
        width = shutil.get_terminal_size().columns if output is None and sys.stdout.isatty() else None
        lines, left_out = formats.table_text(frame, width)
        _write(("\n".join(lines) + "\n").encode(), output)
        if left_out:
            with contextlib.suppress(BrokenPipeError):
                click.echo(f"({len(left_out)} more: {', '.join(left_out)}; choose with --columns)", err=True)


# -- listing -------------------------------------------------------------------------------------------------


def listing(word: str) -> None:
    """List operations whose name has a word in it; the exact name of one tells all about it."""
    with contextlib.suppress(DockerlabError):
        _tell(call_arguments.operation(word))
        return
    found = [one for one in OPERATIONS.values() if word.lower() in one.id.lower()]
    if not found:
        call_arguments.operation(word)  # raises, with the nearest ones
    columns = [[one.id for one in found], [one.method for one in found], [one.path for one in found], _arguments(found)]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo("\n".join(formats.lines(columns, [False] * 4, width)))


def _arguments(found: list[Operation]) -> list[str]:
    return [" ".join(f"{one.argument}{'*' if one.required else ''}" for one in row.parameters) for row in found]


def _tell(asked: Operation) -> None:
    """Describe one operation: where each argument goes, its type, and since when it is there."""
    click.echo(f"{asked.id}  {asked.method} {asked.path}  answers: {asked.answer}")
    if not asked.parameters and not asked.body:
        click.echo("It takes no arguments.")
        return
    rows = [
        (one.argument, one.type, one.place, "required" if one.required else "", _since(one.since))
        for one in asked.parameters
    ]
    if asked.body in ("tar", "list"):
        rows.append(("body", asked.body, "body", "required" if asked.body_required else "", ""))
    heads = ("argument", "type", "in", "", "")
    columns = [list(column) for column in zip(heads, *rows, strict=True)]
    click.echo("\n".join(formats.lines(columns, [False] * len(heads), None)))


def _since(version: str) -> str:
    from dockerlab.protocol.operations import OLDEST  # noqa: PLC0415

    return "" if version == OLDEST else f"since API {version}"
