"""`dockerlab run LESSON`: a lesson in the terminal, cell by cell, in a real kernel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax

from dockerlab.errors import DockerlabError, printable
from dockerlab.launch import course

__all__ = ["find", "play"]

SECONDS = 120


def find(lesson: str) -> Path:
    """Find a lesson's notebook by its number. Raises DockerlabError, naming those there are."""
    number = lesson.strip().zfill(2)[:2]
    found = sorted(course().glob(f"{number}-*.ipynb"))
    if not found:
        names = ", ".join(path.name[:2] for path in sorted(course().glob("[0-9][0-9]-*.ipynb")))
        raise DockerlabError(f"There is no lesson {lesson}. The lessons are {names}.")
    return found[0]


def play(lesson: str, *, wait: bool, engine: str | None) -> int:
    """Play a lesson; 0 if every cell did what it should. Its containers are removed also after Ctrl-C."""
    path = find(lesson)
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    if engine:
        os.environ["DOCKERLAB_ENGINE"] = engine
    console = Console()
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": "."}})
    with client.setup_kernel():
        try:
            return _cells(client, notebook, console, wait and console.is_terminal)
        except (KeyboardInterrupt, EOFError):
            console.print("\nleaving; removing what the lesson made")
            return 130
        finally:
            _tidy(client)


def _cells(client: NotebookClient, notebook: Any, console: Console, wait: bool) -> int:
    code = 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            console.print(Markdown(cell.source))
            console.print()
            continue
        console.print(Syntax(cell.source, "python", background_color="default"))
        if wait:
            console.input("[dim]Enter runs it, Ctrl-C leaves[/dim] ")
        try:
            client.execute_cell(cell, index)
        except CellExecutionError:
            code = 1
        for output in cell.get("outputs", []):
            console.print(_text(output), markup=False, highlight=False)
        console.print()
        if code:
            console.print("This cell should not have failed. Is the engine well? dockerlab doctor")
            return code
    return code


def _text(output: Any) -> str:
    """The text form of an output. Whatever it says is text: no control characters reach the terminal."""
    if output.output_type == "stream":
        return printable(output.text)
    if output.output_type == "error":
        return printable(f"{output.ename}: {output.evalue}")
    return printable(str(output.data.get("text/plain", "")))


def _tidy(client: NotebookClient) -> None:
    """Finish the lesson in its kernel, whatever happened before."""
    cell = nbformat.v4.new_code_cell("lesson.finish() if 'lesson' in globals() else None")  # type: ignore[no-untyped-call]
    try:
        client.nb.cells.append(cell)
        client.execute_cell(cell, len(client.nb.cells) - 1)
    except (CellExecutionError, RuntimeError):
        return
