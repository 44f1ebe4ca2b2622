"""The course as a learner sees it: `dockerlab lab`, a real browser, and all cells run from the menu."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import clear_outputs, open_notebook, run_all_cells, screenshot, visible
from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LESSONS = ["00-start-here", "01-list-containers", "04-process-list", "05-logs", "07-start"]
#: One with only tables, one with pictures.
ANALYSES = ["A1-log-investigation", "A2-resources-over-time"]


def test_the_first_page_is_lesson_00_without_a_dialog(browser: WebDriver, url: str) -> None:
    open_notebook(browser, url)
    assert browser.title.startswith("00-start")
    assert [element.text for element in visible(browser, ".Toastify__toast, .jp-Dialog")] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_to_its_end(browser: WebDriver, url: str, course: Path, lesson: str) -> None:
    path = course / f"{lesson}.ipynb"
    clear_outputs(path)
    open_notebook(browser, url.replace("00-start-here", lesson))
    notebook = run_all_cells(browser, path)
    screenshot(browser, lesson)
    assert failures(notebook) == []
    if lesson in LESSONS[1:]:
        assert widgets(notebook) > 0


@pytest.mark.parametrize("analysis", ANALYSES)
def test_an_analysis_has_the_committed_outputs(browser: WebDriver, url: str, course: Path, analysis: str) -> None:
    path = course / f"{analysis}.ipynb"
    committed = kinds(json.loads(path.read_text("utf-8")))
    clear_outputs(path)
    open_notebook(browser, url.replace("00-start-here", analysis))
    notebook = run_all_cells(browser, path)
    screenshot(browser, analysis)
    assert failures(notebook) == []
    assert kinds(notebook) == committed


def outputs(notebook: dict[str, object]) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """Yield the outputs, each with its cell."""
    for cell in notebook["cells"]:  # type: ignore[attr-defined]
        for output in cell.get("outputs", []):
            yield cell, output


def failures(notebook: dict[str, object]) -> list[str]:
    """Return the errors in cells that must not fail."""
    return [
        f"{cell['source']}: {output['evalue']}"
        for cell, output in outputs(notebook)
        if output["output_type"] == "error" and "raises-exception" not in cell["metadata"].get("tags", [])  # type: ignore[attr-defined]
    ]


def kinds(notebook: dict[str, object]) -> Counter[str]:
    """Count the outputs per kind: text, table, picture."""
    return Counter(kind for _, output in outputs(notebook) for kind in output.get("data", {}))  # type: ignore[attr-defined]


def widgets(notebook: dict[str, object]) -> int:
    """Count the live views."""
    kind = "application/vnd.jupyter.widget-view+json"
    return sum(kind in output.get("data", {}) for _, output in outputs(notebook))  # type: ignore[operator]
