#!/usr/bin/env python3
"""Run the notebooks with a clean kernel, and write them back as they are to be committed.

    python tests/notebooks/refresh.py                       all of them, on the practice engine
    python tests/notebooks/refresh.py notebooks/01-*.ipynb  these
    python tests/notebooks/refresh.py --form                only the form: navigation, ids, metadata; runs nothing
    python tests/notebooks/refresh.py --check               says which are not in that form; changes nothing

DOCKERLAB_ENGINE names another engine, as in a lesson. What a run leaves in a notebook that would differ the next
time (execution times, widget state, random ids, the kernel's version) is taken out.
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
KEPT = {"tags", "jupyter"}
CELL_SECONDS = 60


def navigation(name: str) -> str:
    """Write the line of links to the notebook before, the first page, and the notebook after, of the same kind."""
    analyses = {one.notebook: one.number for one in catalog.ANALYSES.values()}
    kind, names = ("analysis", analyses) if name in analyses else ("lesson", _lessons())
    numbers, place = list(names.values()), list(names).index(name)
    before = _link("← ", numbers[place - 1]) if place else f"← this is the first {kind}"
    after = _link("→ ", numbers[place + 1]) if place + 1 < len(numbers) else f"→ this is the last {kind} so far"
    home = "" if names[name] == "00" else " · [all lessons](00-start-here.ipynb)"
    return f"{before}{home} · {after}"


def _lessons() -> dict[str, str]:
    return {outline.notebook: number for number, outline in catalog.LESSONS.items()}


def _link(arrow: str, number: str) -> str:
    entry = catalog.ANALYSES.get(number) or catalog.LESSONS[number]
    return f"{arrow}[{number} · {entry.title}]({entry.notebook})"


def known(name: str) -> bool:
    """Tell whether a notebook belongs to the course, as a lesson or as an analysis."""
    return name in catalog.notebooks().values()


def formed(notebook: NotebookNode, name: str) -> NotebookNode:
    """Give the notebook in the form that is committed."""
    cells = [cell for cell in notebook.cells if NAVIGATION not in cell.metadata.get("tags", [])]
    if known(name):
        lines = [nbformat.v4.new_markdown_cell(navigation(name), metadata={"tags": [NAVIGATION]}) for _ in range(2)]
        cells = [lines[0], *cells, lines[1]]
    seen: Counter[str] = Counter()
    for cell in cells:
        cell.id = _id(cell, seen)
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key in KEPT})
        if "solution" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = NotebookNode({"source_hidden": True})
        for output in cell.get("outputs", []):
            _clean(output)
    metadata = NotebookNode({"kernelspec": KERNELSPEC, "language_info": LANGUAGE})
    return NotebookNode({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def _id(cell: NotebookNode, seen: Counter[str]) -> str:
    """Make an id from what the cell says, so that writing a notebook anew changes none of them."""
    digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _clean(output: NotebookNode) -> None:
    """Take out of an output what no page needs: a widget's id without its state shows nothing."""
    if "data" in output:
        output.data.pop("application/vnd.jupyter.widget-view+json", None)
    if "metadata" in output:
        output.metadata = NotebookNode()
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Execute every cell in a new kernel, as a learner with a fresh start sees it."""
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}},
        store_widget_state=False, record_timing=False,
    )  # fmt: skip
    client.execute()
    return notebook


def text(notebook: NotebookNode) -> str:
    """Write a notebook as it goes into its file."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, indent=1) + "\n"


def main(arguments: list[str]) -> int:
    """Do what the command line says; 1 if `--check` found something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="the files (all of them)")
    parser.add_argument("--form", action="store_true", help="don't execute")
    parser.add_argument("--check", action="store_true", help="don't write: say which are not in form")
    chosen = parser.parse_args(arguments)
    analyses = {analysis.notebook for analysis in catalog.ANALYSES.values()}
    stale = []
    for path in chosen.notebooks or sorted(FOLDER.glob("*.ipynb")):
        before = path.read_text()
        notebook = nbformat.reads(before, as_version=4)
        if not (chosen.form or chosen.check):
            with tempfile.TemporaryDirectory() as folder:
                # an analysis finds its data beside it; a lesson finds nothing
                notebook = run(notebook, path.parent if path.name in analyses else Path(folder))
        after = text(formed(notebook, path.name))
        if after != before:
            stale.append(path)
            if not chosen.check:
                path.write_text(after)
        sys.stdout.write(
            f"{path.name}: {'as it was' if after == before else 'not in form' if chosen.check else 'written'}\n"
        )
    return 1 if chosen.check and stale else 0


if __name__ == "__main__":
    os.environ.setdefault("DOCKERLAB_ENGINE", "practice")
    sys.exit(main(sys.argv[1:]))
