"""One JupyterLab with the course in it, and one browser, for the tests of a module."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import chromium, jupyterlab
from processes import program
from selenium.webdriver.remote.webdriver import WebDriver


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("course") / "lessons"


@pytest.fixture(scope="module")
def url(course: Path) -> Iterator[str]:
    command = [str(Path(sys.executable).with_name("dockerlab")), "lab", str(course), "--no-browser"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    with jupyterlab(process) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[WebDriver]:
    with chromium(program("chromium"), program("chromedriver")) as running:
        yield running
