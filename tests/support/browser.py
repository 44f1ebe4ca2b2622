"""JupyterLab in the system's chromium, used as a person does: open a notebook, run it, save it, look at it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from processes import wait_until
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

PAUSE = 0.25  #: seconds between two looks at a page


@contextmanager
def jupyterlab(process: subprocess.Popen[str], seconds: float = 60) -> Iterator[str]:
    """Give the address that a starting JupyterLab prints. Afterwards end it with all processes that it started.

    The process must have a session of its own.
    """
    output: list[str] = []
    assert process.stdout is not None
    lines = process.stdout
    reader = threading.Thread(target=lambda: output.extend(lines), daemon=True)
    reader.start()
    try:
        yield _address(process, output, seconds)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
        reader.join(5)
        lines.close()


def _address(process: subprocess.Popen[str], output: list[str], seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if addresses := re.findall(r"http://\S+", "".join(output)):
            return str(addresses[-1])
        time.sleep(0.1)
    raise AssertionError(f"no address within {seconds} s (code {process.poll()}):\n{''.join(output)}")


@contextmanager
def chromium(program: str, driver: str) -> Iterator[WebDriver]:
    """Start a headless browser with the screen size of a laptop."""
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1440,1100", "disable-gpu"):
        options.add_argument(f"--{argument}")  # no-sandbox, because root may not use chromium's own sandbox
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def visible(browser: WebDriver, selector: str) -> list[WebElement]:
    """Return the visible elements."""
    elements = []
    for element in browser.find_elements(By.CSS_SELECTOR, selector):
        with suppress(StaleElementReferenceException):  # the page may have drawn it again meanwhile
            if element.is_displayed():
                elements.append(element)
    return elements


def texts(browser: WebDriver, selector: str) -> list[str]:
    """Return the texts of the visible elements, all at one moment."""
    script = "return [...document.querySelectorAll(arguments[0])].filter(e => e.offsetParent).map(e => e.innerText)"
    result = browser.execute_script(script, selector)
    assert isinstance(result, list)
    return result


def open_notebook(browser: WebDriver, url: str) -> None:
    """Open an address of JupyterLab, and wait for a notebook whose kernel is idle."""
    browser.get(url)
    wait_until(lambda: visible(browser, ".jp-NotebookPanel .jp-Cell"), 60, "a notebook in JupyterLab", PAUSE)
    idle = ".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]"
    kernel = ".jp-NotebookPanel .jp-KernelName"  # the indicator also says idle before there is a kernel
    wait_until(lambda: texts(browser, kernel) not in ([], [""], ["No Kernel"]), 60, "a kernel", PAUSE)
    wait_until(lambda: visible(browser, idle), 60, "an idle kernel", PAUSE)


def choose(browser: WebDriver, menu: str, command: str) -> None:
    """Choose a menu entry."""
    [entry] = [item for item in visible(browser, ".lm-MenuBar-item") if item.text == menu]
    entry.click()
    selector = f'li[data-command="{command}"]'
    wait_until(lambda: visible(browser, selector), 10, f"{command} in the menu {menu}", PAUSE)
    visible(browser, selector)[0].click()


def clear_outputs(notebook: Path) -> None:
    """Remove the committed outputs, so that those in the file afterwards come from this browser."""
    content = json.loads(notebook.read_text("utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    notebook.write_text(json.dumps(content), "utf-8")


def prompts(browser: WebDriver) -> list[str]:
    """Return the input prompts of the visible cells: `[ ]:` for a cell that never ran."""
    return [element.text for element in visible(browser, ".jp-InputPrompt")]


def start_all_cells(browser: WebDriver) -> None:
    """Choose to run all cells. Repeat it if nothing starts: a page that is still being drawn ignores the menu."""
    for _ in range(3):
        choose(browser, "Run", "runmenu:run-all")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if any(text.strip(" []:") for text in prompts(browser)):
                return
            time.sleep(PAUSE)
    raise AssertionError(f"no cell ran: {_state(browser)}")


def save(browser: WebDriver, path: Path) -> dict[str, object] | None:
    """Save a notebook. Return its content on disk if all its cells have run."""
    browser.switch_to.active_element.send_keys(Keys.CONTROL, "s")
    try:
        notebook: dict[str, object] = json.loads(path.read_text("utf-8"))
    except ValueError:  # JupyterLab is just writing it
        return None
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]  # type: ignore[attr-defined]
    return notebook if all(cell["execution_count"] for cell in cells if cell["source"]) else None


def run_all_cells(browser: WebDriver, path: Path, seconds: float = 90) -> dict[str, object]:
    """Run all cells and save. Return the notebook's content on disk."""
    start_all_cells(browser)
    try:
        notebook = wait_until(lambda: save(browser, path), seconds, f"every cell of {path.name} run and saved", PAUSE)
    except AssertionError as error:
        raise AssertionError(f"{error}; on the page: {_state(browser)}") from None
    assert isinstance(notebook, dict)
    return notebook


def _state(browser: WebDriver) -> str:
    return f"{prompts(browser)}, dialogs {[dialog.text for dialog in visible(browser, '.jp-Dialog')]}"


def screenshot(browser: WebDriver, name: str) -> None:
    """Save a screenshot for a person to look at, if DOCKERLAB_SCREENSHOTS names a folder."""
    if folder := os.environ.get("DOCKERLAB_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(f"{folder}/{name}.png")
