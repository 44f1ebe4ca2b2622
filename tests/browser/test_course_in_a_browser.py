"""The course as a learner sees it: `dockerlab lab`, a real browser, every cell of lessons run from the menu."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import open_notebook, picture, run_all, visible, without_outputs
from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LESSONS = ["00-start-here", "01-list-containers", "04-process-list", "05-logs", "07-start"]


def test_the_first_page_is_lesson_00_and_nothing_is_asked(browser: WebDriver, url: str) -> None:
    open_notebook(browser, url)
    assert browser.title.startswith("00-start")
    assert [element.text for element in visible(browser, ".Toastify__toast, .jp-Dialog")] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_to_its_end(browser: WebDriver, url: str, course: Path, lesson: str) -> None:
    saved = course / f"{lesson}.ipynb"
    without_outputs(saved)
    open_notebook(browser, url.replace("00-start-here", lesson))
    notebook = run_all(browser, saved)
    picture(browser, lesson)
    assert failures(notebook) == []
    if lesson in LESSONS[1:]:
        assert widgets(notebook) > 0


def outputs(notebook: dict[str, object]) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """Walk through the outputs, each with its cell."""
    for cell in notebook["cells"]:  # type: ignore[attr-defined]
        for output in cell.get("outputs", []):
            yield cell, output


def failures(notebook: dict[str, object]) -> list[str]:
    """List errors in cells that are not meant to fail."""
    return [
        f"{cell['source']}: {output['evalue']}"
        for cell, output in outputs(notebook)
        if output["output_type"] == "error" and "raises-exception" not in cell["metadata"].get("tags", [])  # type: ignore[attr-defined]
    ]


def widgets(notebook: dict[str, object]) -> int:
    """Count the live views."""
    kind = "application/vnd.jupyter.widget-view+json"
    return sum(kind in output.get("data", {}) for _, output in outputs(notebook))  # type: ignore[operator]
