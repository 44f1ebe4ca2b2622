#!/usr/bin/env python3
"""Run the notebooks in new kernels, and write them in the form in which they are committed.

    python tests/notebooks/refresh.py                       all notebooks, on the practice engine
    python tests/notebooks/refresh.py notebooks/01-*.ipynb  only these
    python tests/notebooks/refresh.py --form                only navigation, ids and metadata; runs nothing
    python tests/notebooks/refresh.py --check               list those that are not in that form; changes nothing

DOCKERLAB_ENGINE names another engine, as in a lesson. Values that differ from run to run (execution times, widget
state, random ids, the kernel's version) are removed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from dockerlab.course import catalog

FOLDER = Path(__file__).parents[2] / "notebooks"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
NAVIGATION = "navigation"
KEPT_METADATA = {"tags", "jupyter"}
CELL_SECONDS = 60


def navigation(name: str) -> str:
    """Return the links to the previous notebook of the same kind, the first page, and the next one."""
    analyses = {entry.notebook: entry.number for entry in catalog.ANALYSES.values()}
    kind, names = ("analysis", analyses) if name in analyses else ("lesson", _lessons())
    numbers, index = list(names.values()), list(names).index(name)
    before = _link("← ", numbers[index - 1]) if index else f"← this is the first {kind}"
    after = _link("→ ", numbers[index + 1]) if index + 1 < len(numbers) else f"→ this is the last {kind} so far"
    home = "" if names[name] == "00" else " · [all lessons](00-start-here.ipynb)"
    return f"{before}{home} · {after}"


def _lessons() -> dict[str, str]:
    return {outline.notebook: number for number, outline in catalog.LESSONS.items()}


def _link(arrow: str, number: str) -> str:
    entry = catalog.ANALYSES.get(number) or catalog.LESSONS[number]
    return f"{arrow}[{number} · {entry.title}]({entry.notebook})"


def is_in_course(name: str) -> bool:
    """Return whether a notebook belongs to the course, as a lesson or as an analysis."""
    return name in catalog.notebooks().values()


def committed_form(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return the notebook in the form in which it is committed."""
    cells = [cell for cell in notebook.cells if NAVIGATION not in cell.metadata.get("tags", [])]
    if is_in_course(name):
        lines = [nbformat.v4.new_markdown_cell(navigation(name), metadata={"tags": [NAVIGATION]}) for _ in range(2)]
        cells = [lines[0], *cells, lines[1]]
    counts: Counter[str] = Counter()
    for cell in cells:
        cell.id = _id(cell, counts)
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key in KEPT_METADATA})
        if "solution" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = NotebookNode({"source_hidden": True})
        for output in cell.get("outputs", []):
            _clean(output)
    metadata = NotebookNode({"kernelspec": KERNELSPEC, "language_info": LANGUAGE})
    return NotebookNode({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def _id(cell: NotebookNode, counts: Counter[str]) -> str:
    """Return an id that depends only on the cell's content, so that it stays when the notebook is written again."""
    digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    counts[digest] += 1
    return digest if counts[digest] == 1 else f"{digest}-{counts[digest]}"


def _clean(output: NotebookNode) -> None:
    """Remove parts of an output that no page needs: a widget's id is useless without its state."""
    if "data" in output:
        output.data.pop("application/vnd.jupyter.widget-view+json", None)
    if "metadata" in output:
        output.metadata = NotebookNode()
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Execute every cell in a new kernel, as for a learner who starts the lesson."""
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}},
        store_widget_state=False, record_timing=False,
    )  # fmt: skip
    client.execute()
    return notebook


def text(notebook: NotebookNode) -> str:
    """Return the text of a notebook's file."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, indent=1) + "\n"


def main(arguments: list[str]) -> int:
    """Run the command line. Return 1 if `--check` lists a notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="the files (default: all)")
    parser.add_argument("--form", action="store_true", help="don't execute")
    parser.add_argument("--check", action="store_true", help="don't write, list the notebooks that would change")
    options = parser.parse_args(arguments)
    analyses = {analysis.notebook for analysis in catalog.ANALYSES.values()}
    stale = []
    for path in options.notebooks or sorted(FOLDER.glob("*.ipynb")):
        before = path.read_text()
        notebook = nbformat.reads(before, as_version=4)
        if not (options.form or options.check):
            with tempfile.TemporaryDirectory() as folder:
                # An analysis reads data beside its file. A lesson runs in an empty folder.
                notebook = run(notebook, path.parent if path.name in analyses else Path(folder))
        after = text(committed_form(notebook, path.name))
        if after != before:
            stale.append(path)
            if not options.check:
                path.write_text(after)
        sys.stdout.write(
            f"{path.name}: {'unchanged' if after == before else 'not in form' if options.check else 'written'}\n"
        )
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    os.environ.setdefault("DOCKERLAB_ENGINE", "practice")
    sys.exit(main(sys.argv[1:]))
