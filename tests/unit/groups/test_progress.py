"""The progress of a pull, push, build or load: notebooks show it automatically, other programs on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import IPython.display
import pytest
from servers import faulty_engine, http_response

import dockerlab
from dockerlab.errors import NotFound, OperationFailed, StreamBroken
from dockerlab.groups import progress
from dockerlab.widgets import Progress, Steps

RECORDED = json.loads((Path(__file__).parents[2] / "recordings/docker-20.10/progress.json").read_text("utf-8"))


def body(name: str) -> bytes:
    return "".join(f"{json.dumps(record)}\r\n" for record in RECORDED[name]).encode()


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Pretend that this is a notebook, and give the list of what it displays."""
    displayed: list[Any] = []
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", displayed.append)
    return displayed


ACTS: dict[str, Any] = {
    "pull": lambda lab, **more: lab.image.create("shop", **more),
    "push": lambda lab, **more: lab.image.push("shop", **more),
    "build": lambda lab, **more: lab.image.build(b"", t="shop", **more),
    "load": lambda lab, **more: lab.image.load(b"", **more),
    "plugin": lambda lab, **more: lab.plugin.pull("shop", **more),
}
RECORDING = {"load": "pull", "plugin": "pull"}


@pytest.mark.parametrize("name", ACTS)
def test_a_notebook_shows_progress_automatically(name: str, serve: Any, notebook: list[Any]) -> None:
    recording = RECORDING.get(name, name)
    with dockerlab.connect(serve(http_response(body(recording))).url) as lab:
        table = ACTS[name](lab)
    [view] = notebook
    assert isinstance(view, Steps)
    assert (view.state, len(table)) == ("done", len(RECORDED[recording]))
    assert view.progress.lines or view.progress.layers


@pytest.mark.parametrize("name", ACTS)
def test_progress_can_be_turned_off(name: str, serve: Any, notebook: list[Any], capfd: Any) -> None:
    with dockerlab.connect(serve(http_response(body("pull"))).url) as lab:
        assert len(ACTS[name](lab, progress=False)) == len(RECORDED["pull"])
    assert notebook == []
    assert capfd.readouterr() == ("", "")


def test_outside_a_notebook_progress_is_shown_only_on_request(serve: Any, capfd: Any) -> None:
    assert not progress.in_notebook()
    with dockerlab.connect(serve(http_response(body("build"))).url) as lab:
        lab.image.build(b"")
        assert capfd.readouterr() == ("", "")
        lab.image.build(b"", t="shop", progress=True)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Step 1/5 : FROM busybox\n ---> ")
    assert printed.err.endswith("Successfully tagged 127.0.0.1:5000/shop:1\nbuild of shop: done\n")
    assert "\x1b" not in printed.err


def test_the_callers_own_view_is_used(serve: Any, notebook: list[Any]) -> None:
    view = Steps("mine")
    with dockerlab.connect(serve(http_response(body("pull"))).url) as lab:
        lab.image.create("shop", progress=view)
    assert view.words() == "mine: done, 4 of 4 layers"
    assert notebook == [], "the caller displays it"


def test_a_function_is_called_with_the_bytes_so_far(serve: Any, notebook: list[Any]) -> None:
    steps: list[int] = []
    bar = Progress("pull")
    with dockerlab.connect(serve(http_response(body("pull"))).url) as lab:
        lab.image.create("shop", progress=steps.append)
        lab.image.create("shop", progress=bar)
    assert steps[0] == 110
    assert steps[-1] == bar.done_bytes > 6_000_000
    assert bar.finished
    assert notebook == []


def test_a_view_says_that_it_failed(serve: Any, notebook: list[Any]) -> None:
    url = serve(http_response(body("build_that_fails"))).url
    with dockerlab.connect(url) as lab, pytest.raises(OperationFailed, match="non-zero code: 9") as error:
        lab.image.build(b"", t="shop")
    assert notebook[0].words().startswith("build of shop: failed at step 2 of 2: The command '/bin/sh -c echo before")
    assert len(error.value.table) == len(RECORDED["build_that_fails"])


def test_a_view_says_that_it_was_refused(notebook: list[Any]) -> None:
    with (
        faulty_engine(http_response(b'{"message":"no such image"}', status="404 Not Found")) as (lab, _),
        pytest.raises(NotFound),
    ):
        lab.image.create("shop")
    assert notebook[0].words() == "pull of shop: failed: 404 ImageCreate: no such image"


def test_a_view_says_that_the_stream_broke(serve: Any, notebook: list[Any]) -> None:
    with dockerlab.connect(serve(http_response(body("pull")[:-9])).url) as lab, pytest.raises(StreamBroken):
        lab.image.create("shop")
    assert "pull of shop: failed: The stream ended within a JSON document" in notebook[0].words()


def test_an_interrupt_ends_the_view(serve: Any) -> None:
    class Interrupted(Steps):
        def record(self, record: Any) -> None:
            super().record(record)
            raise KeyboardInterrupt

    view = Interrupted("pull")
    with dockerlab.connect(serve(http_response(body("pull"))).url) as lab, pytest.raises(KeyboardInterrupt):
        lab.image.create("shop", progress=view)
    assert view.words() == "pull: failed: KeyboardInterrupt"


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", object)
    assert not progress.in_notebook()

    class Kernels:
        kernel = object()

    monkeypatch.setattr(IPython, "get_ipython", Kernels)
    assert progress.in_notebook()
