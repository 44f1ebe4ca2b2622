"""`dockerlab run LESSON`: a lesson or an analysis in the terminal, cell by cell, in a kernel as JupyterLab has it."""

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

from dockerlab.cli.jupyterlab import jupyter_environment, shipped
from dockerlab.course import outline as outlines
from dockerlab.errors import ArgumentError, DockerlabError, printable

__all__ = ["Runner", "contents", "find", "run"]

CELL_SECONDS = 120
INTERRUPTED = 130
WIDEST = 100
PROMPT = "Enter runs it · or type a line of Python to try first · q leaves"


def contents() -> None:
    """List lessons and analyses: number, title, minutes; a lesson's endpoint, the lesson before an analysis."""
    console = Console(highlight=False)
    lessons = [outlines.load(number) for number in outlines.NOTEBOOKS]
    analyses = list(outlines.ANALYSES.values())
    width = max(len(title) for title in [one.title for one in lessons] + [one.title for one in analyses])
    for lesson in lessons:
        console.print(_row(lesson, width, lesson.endpoint), markup=False, soft_wrap=True)
    console.print("\nAnalyses, of what was recorded on a real engine; they ask none:")
    for analysis in analyses:
        console.print(_row(analysis, width, f"after lesson {analysis.after}"), markup=False, soft_wrap=True)
    console.print("\nBegin one with: dockerlab run 00")


def _row(one: outlines.Outline | outlines.Analysis, width: int, about: str) -> str:
    return f"{one.number}  {one.title:<{width}}  {one.minutes} min  {about}"


def find(lesson: str) -> str:
    """Give the number of a lesson or an analysis: `1`, `01`, `logs`, `05-logs.ipynb`, `a1`.

    Raises ArgumentError, naming what there is.
    """
    word = Path(lesson.strip().lower()).name.removesuffix(".ipynb")
    stems = {number: name.removesuffix(".ipynb") for number, name in _notebooks().items()}
    for number in stems:
        if word and number.lower() in (word, word.zfill(2)):
            return number
    exact = [number for number, stem in stems.items() if word in (stem.lower(), stem.lower().partition("-")[2])]
    found = exact or [number for number, stem in stems.items() if word and word in stem.lower()]
    if len(found) == 1:
        return found[0]
    names = ", ".join(stems[number] for number in found) if found else ", ".join(stems.values())
    raise ArgumentError(f"There is no one lesson {lesson!r}. {'It could be' if found else 'There are'}: {names}.")


def _notebooks() -> dict[str, str]:
    return outlines.NOTEBOOKS | {number: one.notebook for number, one in outlines.ANALYSES.items()}


def run(lesson: str, *, waits: bool, engine: str | None) -> int:
    """Go through a lesson, or an analysis. Gives 0, 1 if a cell failed that should not, 130 after Ctrl-C.

    Whatever happens, the lesson's containers are removed at the end. An analysis has none, and asks no engine.
    """
    number = find(lesson)
    if number in outlines.ANALYSES and engine:
        raise ArgumentError(f"{number} reads what was recorded, and asks no engine: leave --engine out.")
    if waits and not sys.stdin.isatty():
        raise ArgumentError("There is no terminal to wait for Enter on: add --yes to run through.")
    chosen = engine or os.environ.get("DOCKERLAB_ENGINE") or "practice"
    os.environ.update(jupyter_environment(chosen))
    notebook = nbformat.read(shipped() / _notebooks()[number], as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="dockerlab-run-") as folder, Path(folder, ".log").open("w") as log:
        if number in outlines.ANALYSES:  # which finds its data beside it; a lesson finds nothing
            shutil.copytree(shipped() / "data", Path(folder, "data"))
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            store_widget_state=False,
            resources={"metadata": {"path": folder}},
            # sockets in a directory of ours, not ports that anybody on this machine can listen to
            config=Config(KernelManager={"transport": "ipc", "ip": f"{folder}/.kernel"}),
        )
        runner = Runner(client, Console(highlight=False), waits=waits)
        try:
            # what the kernel itself has to say, such as a library's complaint at its end, is nothing for a reader
            with client.setup_kernel(stderr=log):
                return runner.play()
        except KeyboardInterrupt:
            return INTERRUPTED
        finally:
            runner.tidy(number, chosen)


class Runner:
    """Plays the cells of one notebook on a console."""

    def __init__(self, client: NotebookClient, console: Console, *, waits: bool) -> None:
        """Take a client whose kernel is started before `play`."""
        self.client = client
        self.console = console
        self.waits = waits
        self.begun = self.finished = False

    @property
    def _width(self) -> int:
        return min(self.console.width, WIDEST)

    def play(self) -> int:
        """Show and run the cells; 1 if one fails that should not, 130 if the reader leaves."""
        for index, cell in enumerate(self.client.nb.cells):
            tags = cell.metadata.get("tags", [])
            if cell.cell_type == "markdown" and "navigation" not in tags:
                self.console.print(Markdown(cell.source, code_theme="ansi_dark"), width=self._width)
                self.console.print()
            elif cell.cell_type == "code" and cell.source.strip():
                if not self._step(cell, index, hidden="solution" in tags):
                    return INTERRUPTED
                if not self._execute(cell, index):
                    self.console.print("This cell should not have failed. What is wrong? dockerlab doctor")
                    if not self.waits:
                        return 1
        return 0

    def _step(self, cell: Any, index: int, *, hidden: bool) -> bool:
        """Show a cell and wait for the reader; False if they leave."""
        if hidden and self.waits and not self._ask("The solution comes next. Enter shows it · q leaves"):
            return False
        self.console.print(Rule(style="dim"), width=self._width)
        code = Syntax(cell.source, "python", theme="ansi_dark", background_color="default", word_wrap=True)
        self.console.print(code, width=self._width)
        return not self.waits or self._ask(PROMPT)

    def _ask(self, prompt: str) -> bool:
        """Wait for Enter, and run each line that is typed before it; False for q or the end of input."""
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
            self._execute(nbformat.v4.new_code_cell(line), len(self.client.nb.cells))  # type: ignore[no-untyped-call]

    def _execute(self, cell: Any, index: int) -> bool:
        """Run a cell and show its outputs; False if it failed and should not have."""
        self.begun, well = True, True
        try:
            self.client.execute_cell(cell, index)
        except CellExecutionError:
            well = False
        except DeadKernelError:
            raise DockerlabError(
                "The kernel died. Run the lesson again; dockerlab doctor tells what is wrong."
            ) from None
        self.finished = well and "lesson.finish()" in cell.source
        for output in cell.get("outputs", []):
            text = _text(output)
            if text.strip():
                self.console.print(Text(text), style="red" if output.output_type == "error" else "", soft_wrap=True)
        self.console.print()
        return well

    def tidy(self, number: str, engine: str) -> None:
        """Remove what the lesson has made, if its last cell did not: from here, for the kernel may be stuck."""
        if self.finished or not self.begun or number in outlines.ANALYSES:
            return
        import dockerlab

        with contextlib.suppress(DockerlabError):  # what went wrong was said already
            card = dockerlab.lesson(number, engine).finish()
            self.console.print(Text(str(card).partition("\n")[0]))


def _text(output: Any) -> str:
    """Give the text form of an output. Whatever an engine says in it moves no cursor."""
    if output.output_type == "stream":
        return printable(output.text.rstrip("\n"))
    if output.output_type == "error":
        return printable(f"{output.ename}: {output.evalue}")
    return printable(str(output.data.get("text/plain", "")))
