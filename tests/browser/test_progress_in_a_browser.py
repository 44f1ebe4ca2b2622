"""A build as a learner sees it in a notebook: its steps and output while it runs, and the table at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browser import open_notebook, save, screenshot, start_all_cells, texts, visible
from processes import wait_until
from refresh import KERNELSPEC, LANGUAGE
from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
RECORDINGS = Path(__file__).parents[1] / "recordings"
HOSTILE = "<img src=x onerror=document.title=1>"
DOCKERFILE = f"""FROM busybox
RUN for n in $(seq 40); do echo "<b>word</b> $n {HOSTILE}"; sleep 0.2; done; sleep 5
RUN echo second; sleep 5
CMD ["true"]
"""
FIRST = """import io, tarfile
import dockerlab

lab = dockerlab.connect("practice")
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w") as tar:
    info = tarfile.TarInfo("Dockerfile")
    info.size = len(DOCKERFILE)
    tar.addfile(info, io.BytesIO(DOCKERFILE))
"""
BUILD = """table = lab.image.build(buffer.getvalue(), t="watched", nocache=True)
table.tail(3)
"""
PULL = """import time
from pathlib import Path
from typing import Any
from dockerlab.widgets import Steps

steps = Steps("pull of shop")
display(steps)
for record in records:
    steps.record(record)
    half = record.get("progressDetail", {}).get("current") == 21_725_184
    while half and not Path("seen").exists():
        time.sleep(0.1)
steps.finish()
"""
LAST = """deleted = lab.image.delete("watched", force=True)
len(deleted) > 0
"""


def test_the_progress_of_a_build_is_visible(browser: WebDriver, url: str, course: Path) -> None:
    path = notebook(course / "build.ipynb", f"DOCKERFILE = {DOCKERFILE.encode()!r}\n{FIRST}", BUILD, LAST)
    open_notebook(browser, page(url, "build"))
    start_all_cells(browser)

    wait_until(lambda: "step 2 of 4" in text(browser), 60, "the second step")
    area = wait_until(lambda: words(browser, "word</b> 30 "), 60, "the thirtieth word")
    screenshot(browser, "build-step-2")
    assert len(visible(browser, ".jp-OutputArea [role=progressbar], .jp-OutputArea .progress")) == 1
    assert f"<b>word</b> 30 {HOSTILE}" in area["text"], "output of the engine is shown as text"
    assert len(area["text"].splitlines()) == 20
    assert area["tags"] == 0
    wait_until(lambda: at_its_end(browser), 10, "the last line in sight")
    wait_until(lambda: "step 3 of 4" in text(browser), 60, "the third step, which prints nothing more for a while")
    screenshot(browser, "build-step-3")

    wait_until(lambda: "build of watched: done, 4 steps" in text(browser), 60, "the end")
    saved = wait_until(lambda: save(browser, path), 60, "a saved notebook")
    screenshot(browser, "build-done")
    build = saved["cells"][1]["outputs"]  # type: ignore[index]
    assert [output["output_type"] for output in build] == ["display_data", "execute_result"]
    assert build[0]["data"]["text/plain"] == ["<build of watched: live progress>"]
    assert "Successfully tagged watched:latest" in "".join(build[1]["data"]["text/plain"])
    assert browser.title != "1"


def test_a_pull_has_a_bar_for_each_layer(browser: WebDriver, url: str, course: Path) -> None:
    recorded = json.loads((RECORDINGS / "docker-20.10/progress.json").read_text("utf-8"))["pull"]
    path = notebook(course / "pull.ipynb", f"records = {recorded!r}", PULL)
    open_notebook(browser, page(url, "pull"))
    start_all_cells(browser)
    wait_until(
        lambda: "a24fc292aba6: Extracting, 20.7 MiB of 40.0 MiB" in text(browser), 60, "a layer that is being unpacked"
    )
    screenshot(browser, "pull")
    bars = visible(browser, ".jp-OutputArea .progress-bar")
    assert len(bars) == 5, "one for the whole pull, and one per layer"
    widths = [float(bar.get_attribute("style").split("width:")[1].split("%")[0]) for bar in bars]
    assert widths[:3] == pytest.approx([25, 100, 51.8], abs=1)
    (course / "seen").touch()
    wait_until(lambda: "pull of shop: done, 4 of 4 layers" in text(browser), 60, "the end")
    wait_until(lambda: save(browser, path), 60, "a saved notebook")


def notebook(path: Path, *cells: str) -> Path:
    """Write a notebook, and return its path."""
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    content.metadata |= {
        "kernelspec": KERNELSPEC,
        "language_info": LANGUAGE,
    }  # without it, JupyterLab asks for a kernel
    nbformat.write(content, path)
    return path


def page(url: str, name: str) -> str:
    """Return the address of a notebook in a new workspace, where no other notebook is open."""
    return url.replace("/lab/tree/00-start-here", f"/lab/workspaces/{name}/tree/{name}")


def text(browser: WebDriver) -> str:
    """Return the visible text of all outputs."""
    return "\n".join(texts(browser, ".jp-OutputArea-output"))


def words(browser: WebDriver, expected: str) -> dict[str, Any] | None:
    """Return the latest lines if a text is among them. One script reads them, because newer lines replace them."""
    script = """return [...document.querySelectorAll(".jp-OutputArea [role=log]")].map(area => (
        {text: area.innerText, tags: area.querySelectorAll("b, img").length}))"""
    areas: list[dict[str, Any]] = browser.execute_script(script)
    return next((area for area in areas if expected in area["text"]), None)


def at_its_end(browser: WebDriver) -> bool:
    """Return whether the last line is within the visible part of the area."""
    script = """const area = document.querySelector("[role=log]"), span = area.querySelector("span");
    return span.getBoundingClientRect().bottom <= area.getBoundingClientRect().bottom + 1"""
    return bool(browser.execute_script(script))
