"""`dockerlab run LESSON`: a lesson or an analysis in the terminal, cell by cell, in the kernel that JupyterLab uses."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from rich.console import Console
from rich.markdown import Markdown
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text
from traitlets.config import Config

from dockerlab.cli.jupyterlab import installed_course, jupyter_environment
from dockerlab.course.catalog import ANALYSES, LESSONS, Analysis, notebooks
from dockerlab.course.lesson import lesson as begin_lesson
from dockerlab.course.outline import Outline
from dockerlab.errors import ArgumentError, DockerlabError, printable

__all__ = ["NotebookPlayer", "find_number", "run", "show_contents"]

CELL_SECONDS = 120
INTERRUPTED = 130
WIDEST = 100
PROMPT = "Enter: run this cell · a line of Python: try it first · q: leave"


def show_contents() -> None:
    """List all lessons with their endpoints, and all analyses with the lessons that they build on."""
    console = Console(highlight=False)
    titles = [outline.title for outline in LESSONS.values()] + [analysis.title for analysis in ANALYSES.values()]
    width = max(len(title) for title in titles)
    for outline in LESSONS.values():
        console.print(_row(outline, width, outline.endpoint), markup=False, soft_wrap=True)
    console.print("\nAnalyses read data that was recorded on a real engine, and need no engine:")
    for analysis in ANALYSES.values():
        console.print(_row(analysis, width, f"after lesson {analysis.after}"), markup=False, soft_wrap=True)
    console.print("\nStart with: dockerlab run 00")


def _row(entry: Outline | Analysis, width: int, remark: str) -> str:
    return f"{entry.number}  {entry.title:<{width}}  {entry.minutes} min  {remark}"


def find_number(lesson: str) -> str:
    """Return the number of a lesson or an analysis, given as `1`, `01`, `logs`, `05-logs.ipynb` or `a1`.

    Raises ArgumentError with the names that match, or with all names.
    """
    word = Path(lesson.strip().lower()).name.removesuffix(".ipynb")
    stems = {number: name.removesuffix(".ipynb") for number, name in notebooks().items()}
    for number in stems:
        if word and number.lower() in (word, word.zfill(2)):
            return number
    exact = [number for number, stem in stems.items() if word in (stem.lower(), stem.lower().partition("-")[2])]
    matches = exact or [number for number, stem in stems.items() if word and word in stem.lower()]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(stems[number] for number in matches)
        raise ArgumentError(f"{lesson!r} could be any of these: {names}. Name one of them.")
    raise ArgumentError(f"There is no lesson or analysis {lesson!r}. There are: {', '.join(stems.values())}.")


def run(lesson: str, *, waits: bool, engine: str | None) -> int:
    """Go through a lesson or an analysis. Returns 0, 1 if a cell failed unexpectedly, or 130 after Ctrl-C.

    The lesson's containers are always removed at the end. An analysis has none, and uses no engine.
    """
    number = find_number(lesson)
    if number in ANALYSES and engine:
        raise ArgumentError(f"{number} reads recorded data and uses no engine: leave --engine out.")
    if waits and not sys.stdin.isatty():
        raise ArgumentError("There is no terminal on which to press Enter: add --yes to run all cells.")
    chosen = engine or os.environ.get("DOCKERLAB_ENGINE") or "practice"
    os.environ.update(jupyter_environment(chosen))
    notebook = nbformat.read(installed_course() / notebooks()[number], as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="dockerlab-run-") as folder, Path(folder, ".log").open("w") as log:
        if number in ANALYSES:  # an analysis reads its data from the folder that it runs in
            shutil.copytree(installed_course() / "data", Path(folder, "data"))
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            store_widget_state=False,
            resources={"metadata": {"path": folder}},
            # unix sockets in a private directory, since any user of this machine could connect to a port
            config=Config(KernelManager={"transport": "ipc", "ip": f"{folder}/.kernel"}),
        )
        player = NotebookPlayer(client, Console(highlight=False), waits=waits)
        try:
            # the kernel's own messages, such as a library's warning on exit, mean nothing to a learner
            with client.setup_kernel(stderr=log):
                return player.play()
        except KeyboardInterrupt:
            return INTERRUPTED
        finally:
            player.clean_up(number, chosen)


class NotebookPlayer:
    """Shows and runs the cells of one notebook on a console. The client's kernel must run during `play`."""

    def __init__(self, client: NotebookClient, console: Console, *, waits: bool) -> None:
        self.client = client
        self.console = console
        self.waits = waits
        self.is_started = self.is_finished = False

    @property
    def _width(self) -> int:
        return min(self.console.width, WIDEST)

    def play(self) -> int:
        """Show and run the cells. Returns 0, 1 if a cell failed unexpectedly, or 130 if the reader leaves."""
        for index, cell in enumerate(list(self.client.nb.cells)):
            tags = cell.metadata.get("tags", [])
            if cell.cell_type == "markdown" and "navigation" not in tags:
                self.console.print(Markdown(cell.source, code_theme="ansi_dark"), width=self._width)
                self.console.print()
            elif cell.cell_type == "code" and cell.source.strip():
                if not self._step(cell, index, hidden="solution" in tags):
                    return INTERRUPTED
                if not self._execute(cell, index):
                    self.console.print("This cell should not have failed. To find out why, run: dockerlab doctor")
                    if not self.waits:
                        return 1
        return 0

    def _step(self, cell: Any, index: int, *, hidden: bool) -> bool:
        """Show a cell and wait for the reader. Returns False if they leave."""
        if hidden and self.waits and not self._ask("The solution comes next. Enter: show it · q: leave"):
            return False
        self.console.print(Rule(style="dim"), width=self._width)
        code = Syntax(cell.source, "python", theme="ansi_dark", background_color="default", word_wrap=True)
        self.console.print(code, width=self._width)
        return not self.waits or self._ask(PROMPT)

    def _ask(self, prompt: str) -> bool:
        """Wait for Enter, and run each line that is typed before it. Returns False for q or at the end of the input."""
        while True:
            self.console.print(Text(prompt, style="dim"))
            try:
                line = input("> ").strip()
            except EOFError:
                return False
            if line in ("q", "quit", "exit"):
                return False
            if not line:
                return True
            cells = self.client.nb.cells
            cells.append(nbformat.v4.new_code_cell(line))  # type: ignore[no-untyped-call]
            self._execute(cells[-1], len(cells) - 1)

    def _execute(self, cell: Any, index: int) -> bool:
        """Run a cell and show its outputs. Returns False if the cell failed unexpectedly."""
        self.is_started, succeeded = True, True
        try:
            self.client.execute_cell(cell, index)
        except CellExecutionError:
            succeeded = False
        except DeadKernelError:
            raise DockerlabError(
                "The kernel died. Run the lesson again. If it dies again, find out why with: dockerlab doctor"
            ) from None
        self.is_finished = succeeded and "lesson.finish()" in cell.source
        for output in cell.get("outputs", []):
            text = _text(output)
            if text.strip():
                self.console.print(Text(text), style="red" if output.output_type == "error" else "", soft_wrap=True)
        self.console.print()
        return succeeded

    def clean_up(self, number: str, engine: str) -> None:
        """Remove the lesson's containers, unless its last cell did. Not in the kernel, which may be stuck."""
        if self.is_finished or not self.is_started or number in ANALYSES:
            return
        with contextlib.suppress(DockerlabError):  # the failed cell has already shown what is wrong
            card = begin_lesson(number, engine).finish()
            self.console.print(Text(str(card).partition("\n")[0]))


def _text(output: Any) -> str:
    """Return an output as text, without the control characters that an engine's response may contain."""
    if output.output_type == "stream":
        return printable(output.text.rstrip("\n"))
    if output.output_type == "error":
        return printable(f"{output.ename}: {output.evalue}")
    return printable(str(output.data.get("text/plain", "")))
