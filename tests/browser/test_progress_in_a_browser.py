"""A build as a learner sees it in a notebook: its steps and words while it goes on, and its table at the end."""

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
NASTY = "<img src=x onerror=document.title=1>"
DOCKERFILE = f"""FROM busybox
RUN for n in $(seq 40); do echo "<b>word</b> $n {NASTY}"; sleep 0.2; done; sleep 5
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
LAST = """gone = lab.image.delete("watched", force=True)
len(gone) > 0
"""


def test_a_build_is_seen_while_it_goes_on(browser: WebDriver, url: str, course: Path) -> None:
    path = notebook(course / "build.ipynb", f"DOCKERFILE = {DOCKERFILE.encode()!r}\n{FIRST}", BUILD, LAST)
    open_notebook(browser, page(url, "build"))
    start_all_cells(browser)

    wait_until(lambda: "step 2 of 4" in text(browser), 60, "the second step")
    area = wait_until(lambda: words(browser, "word</b> 30 "), 60, "its thirtieth word")
    screenshot(browser, "build-step-2")
    assert len(visible(browser, ".jp-OutputArea [role=progressbar], .jp-OutputArea .progress")) == 1
    assert f"<b>word</b> 30 {NASTY}" in area["text"], "what an engine says is text"
    assert len(area["text"].splitlines()) == 20
    assert area["tags"] == 0
    wait_until(lambda: at_its_end(browser), 10, "the latest word in sight")
    wait_until(lambda: "step 3 of 4" in text(browser), 60, "the third step, of which nothing more is told for a while")
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
        lambda: "a24fc292aba6: Extracting, 20.7 MiB of 40.0 MiB" in text(browser), 60, "a layer that is unpacked"
    )
    screenshot(browser, "pull")
    bars = visible(browser, ".jp-OutputArea .progress-bar")
    assert len(bars) == 5, "one for the whole, and one a layer"
    widths = [float(bar.get_attribute("style").split("width:")[1].split("%")[0]) for bar in bars]
    assert widths[:3] == pytest.approx([25, 100, 51.8], abs=1)
    (course / "seen").touch()
    wait_until(lambda: "pull of shop: done, 4 of 4 layers" in text(browser), 60, "the end")
    wait_until(lambda: save(browser, path), 60, "a saved notebook")


def notebook(path: Path, *cells: str) -> Path:
    """Write a notebook."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata |= {"kernelspec": KERNELSPEC, "language_info": LANGUAGE}  # or JupyterLab asks which kernel
    nbformat.write(made, path)
    return path


def page(url: str, name: str) -> str:
    """Give the address of a notebook, in a workspace of its own: no other one is open there."""
    return url.replace("/lab/tree/00-start-here", f"/lab/workspaces/{name}/tree/{name}")


def text(browser: WebDriver) -> str:
    """Give what can be read in outputs."""
    return "\n".join(texts(browser, ".jp-OutputArea-output"))


def words(browser: WebDriver, wanted: str) -> dict[str, Any] | None:
    """Give the latest words as they are seen, if those are among them: all at once, since the next replace them."""
    script = """return [...document.querySelectorAll(".jp-OutputArea [role=log]")].map(area => (
        {text: area.innerText, tags: area.querySelectorAll("b, img").length}))"""
    found: list[dict[str, Any]] = browser.execute_script(script)
    return next((area for area in found if wanted in area["text"]), None)


def at_its_end(browser: WebDriver) -> bool:
    """Tell whether the last line of the area lies within what is shown of it."""
    script = """const area = document.querySelector("[role=log]"), span = area.querySelector("span");
    return span.getBoundingClientRect().bottom <= area.getBoundingClientRect().bottom + 1"""
    return bool(browser.execute_script(script))
