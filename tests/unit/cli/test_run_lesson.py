"""`dockerlab run` shows a cell, runs the lines that the reader types before it, and then runs the cell."""

from __future__ import annotations

import io
from collections.abc import Iterator

import nbformat
import pytest
from nbclient import NotebookClient
from rich.console import Console

from dockerlab.cli.run_lesson import INTERRUPTED, NotebookPlayer


@pytest.fixture
def player() -> Iterator[NotebookPlayer]:
    """A player of three cells, whose kernel runs."""
    cells = [
        nbformat.v4.new_markdown_cell("# A lesson"),
        nbformat.v4.new_code_cell("number = 6 * 7"),
        nbformat.v4.new_code_cell("number + 1", metadata={"tags": ["solution"]}),
    ]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=60, kernel_name="python3")
    with client.setup_kernel():
        yield NotebookPlayer(client, Console(file=io.StringIO(), width=80), waits=True)


def play(player: NotebookPlayer, monkeypatch: pytest.MonkeyPatch, *lines: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines of the terminal, when the reader types these lines."""
    typed = iter(lines)
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    code = player.play()
    assert isinstance(player.console.file, io.StringIO)
    return code, player.console.file.getvalue().split("\n")


def test_typed_lines_run_before_the_cell(player: NotebookPlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = play(player, monkeypatch, "'typed' * 2", "1 / 0", "", "", "number - 2", "")
    assert code == 0
    results = [line for line in output if line in ("'typedtyped'", "ZeroDivisionError: division by zero", "40", "43")]
    assert results == ["'typedtyped'", "ZeroDivisionError: division by zero", "40", "43"]
    assert sum("The solution comes next" in line for line in output) == 1


def test_q_leaves(player: NotebookPlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = play(player, monkeypatch, "", "q")
    assert code == INTERRUPTED
    assert "43" not in output
