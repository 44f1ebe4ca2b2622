"""Drives JupyterLab in the system's chromium as a person does: open a notebook, run it, save it, look at it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement


@contextmanager
def chromium(program: str, driver: str) -> Iterator[WebDriver]:
    """Start a headless browser with a screen of a laptop's size."""
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1440,1100", "disable-gpu"):
        options.add_argument(f"--{argument}")  # root may not use chromium's own sandbox
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


def until(wanted: Callable[[], object], seconds: float, what: str) -> object:
    """Ask until the answer is true, or fail and say what was waited for."""
    end = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.25)
    return found


def visible(browser: WebDriver, selector: str) -> list[WebElement]:
    """List the elements that can be seen."""
    found = []
    for element in browser.find_elements(By.CSS_SELECTOR, selector):
        with suppress(StaleElementReferenceException):  # the page may have drawn it anew meanwhile
            if element.is_displayed():
                found.append(element)
    return found


def texts(browser: WebDriver, selector: str) -> list[str]:
    """List what elements say that can be seen, all at one moment."""
    script = "return [...document.querySelectorAll(arguments[0])].filter(e => e.offsetParent).map(e => e.innerText)"
    found = browser.execute_script(script, selector)
    assert isinstance(found, list)
    return found


def open_notebook(browser: WebDriver, url: str) -> None:
    """Open an address of JupyterLab and wait for a notebook with a kernel that is ready."""
    browser.get(url)
    until(lambda: visible(browser, ".jp-NotebookPanel .jp-Cell"), 60, "a notebook in JupyterLab")
    ready = ".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]"
    named = ".jp-NotebookPanel .jp-KernelName"  # until it has one, its kernel is called idle, too
    until(lambda: texts(browser, named) not in ([], [""], ["No Kernel"]), 60, "a kernel")
    until(lambda: visible(browser, ready), 60, "an idle kernel")


def menu(browser: WebDriver, name: str, command: str) -> None:
    """Choose an entry of a menu."""
    [entry] = [item for item in visible(browser, ".lm-MenuBar-item") if item.text == name]
    entry.click()
    until(lambda: visible(browser, f'li[data-command="{command}"]'), 10, f"{command} in the menu {name}")
    visible(browser, f'li[data-command="{command}"]')[0].click()


def without_outputs(notebook: Path) -> None:
    """Clear what is committed, so that what is there afterwards was made in this browser."""
    content = json.loads(notebook.read_text("utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    notebook.write_text(json.dumps(content), "utf-8")


def prompts(browser: WebDriver) -> list[str]:
    """List what stands before the cells that are drawn: `[ ]:` if they never ran."""
    return [element.text for element in visible(browser, ".jp-InputPrompt")]


def begin(browser: WebDriver) -> None:
    """Choose to run all cells; again, as a person would, if nothing begins to run: a page may still be drawn."""
    for _ in range(3):
        menu(browser, "Run", "runmenu:run-all")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if any(text.strip(" []:") for text in prompts(browser)):
                return
            time.sleep(0.25)
    raise AssertionError(f"no cell ran: {prompts(browser)}, {[one.text for one in visible(browser, '.jp-Dialog')]}")


def save(browser: WebDriver, saved: Path) -> dict[str, object] | None:
    """Save a notebook; give it as it is then on disk if all its cells have run."""
    browser.switch_to.active_element.send_keys(Keys.CONTROL, "s")
    try:
        notebook: dict[str, object] = json.loads(saved.read_text("utf-8"))
    except ValueError:  # it is being written just now
        return None
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]  # type: ignore[attr-defined]
    return notebook if all(cell["execution_count"] for cell in cells if cell["source"]) else None


def run_all(browser: WebDriver, saved: Path, seconds: float = 90) -> dict[str, object]:
    """Run all cells and save; give back the notebook as it is then on disk."""
    begin(browser)
    try:
        finished = until(lambda: save(browser, saved), seconds, f"every cell of {saved.name} run and saved")
    except AssertionError as error:
        seen = f"{prompts(browser)}, dialogs {[one.text for one in visible(browser, '.jp-Dialog')]}"
        raise AssertionError(f"{error}; on the page: {seen}") from None
    assert isinstance(finished, dict)
    return finished


def picture(browser: WebDriver, name: str) -> None:
    """Keep a screenshot where DOCKERLAB_SCREENSHOTS says, for a person to look at."""
    if folder := os.environ.get("DOCKERLAB_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(f"{folder}/{name}.png")
