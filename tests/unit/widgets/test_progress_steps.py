"""The live view of a pull, push, build or load: records become bars and text. Recorded on Docker 20.10."""

from __future__ import annotations

import html
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import wait_until

from dockerlab.errors import UNPRINTABLE
from dockerlab.widgets import Steps
from dockerlab.widgets.progress_state import MAX_BARS, MAX_LINE_LENGTH, MAX_LINES, ProgressState, format_size
from dockerlab.widgets.progress_steps import SHORTEST_PAUSE, PrintedSteps

RECORDED = json.loads((Path(__file__).parents[2] / "recordings/docker-20.10/progress.json").read_text("utf-8"))
HOSTILE = "<script>alert(1)</script>"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.text(max_size=12) | st.sampled_from(["Step 1/2 : FROM a\n", "Step 9/2 : b", "\x1b[91mred\x1b[0m\n", "10%\r"])
STATES = st.sampled_from(["Downloading", "Pull complete", "Waiting", "Loading layer", "Pushed"])
DETAIL = st.fixed_dictionaries({}, optional={"current": JSON, "total": JSON, "units": st.just("s") | JSON})
RECORDS = st.lists(
    JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "id": st.sampled_from(["a", "b", "0123456789ab"]) | JSON, "status": STATES | JSON, "error": JSON,
            "stream": WORDS | JSON, "progressDetail": DETAIL | JSON, "errorDetail": JSON, "aux": JSON,
        },
    ),
    max_size=20,
)  # fmt: skip


def state_after(name: str, records: int | None = None) -> ProgressState:
    state = ProgressState()
    for record in RECORDED[name][:records]:
        state.add(record)
    return state


def layers(state: ProgressState) -> dict[str, tuple[str, bool]]:
    return {bar.name: (bar.words, bar.done) for bar in state.layers}


# -- recorded responses


def test_a_pull_has_a_bar_for_each_layer() -> None:
    middle = state_after("pull", next(n for n, one in enumerate(RECORDED["pull"]) if one.get("status") == "Extracting"))
    assert middle.words == "1 of 4 layers"
    assert layers(middle)["abc8e1a52fe7"] == ("Already exists", True)
    assert layers(middle)["a24fc292aba6"] == ("Download complete", False)
    whole = state_after("pull")
    assert (whole.words, whole.share) == ("4 of 4 layers", 1.0)
    assert {words for words, _ in layers(whole).values()} == {"Already exists", "Pull complete"}
    assert whole.lines[0] == "1: Pulling from shop"
    assert whole.lines[-1] == "Status: Downloaded newer image for 127.0.0.1:5000/shop:1"


def test_the_bar_of_a_download_grows() -> None:
    state, shares = ProgressState(), []
    for record in RECORDED["pull"]:
        state.add(record)
        if record.get("status") == "Downloading" and record["id"] == "a24fc292aba6":
            [bar] = [layer for layer in state.layers if layer.name == "a24fc292aba6"]
            shares.append(bar.share)
            assert bar.words == f"Downloading, {format_size(record['progressDetail']['current'])} of 40.0 MiB"
    assert len(shares) > 1
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1


def test_the_bar_of_a_push_stays_within_its_end() -> None:
    """Docker reports 2.1 of 1.9 MiB, because it counts the bytes of the tar, and not those of the files."""
    state = ProgressState()
    for record in RECORDED["push"]:
        state.add(record)
        assert all(0 <= bar.share <= 1 for bar in state.layers)
    assert all(bar.done for bar in state.layers)
    assert state.words == state_after("push_again").words == "4 of 4 layers"
    assert set(layers(state_after("push_again")).values()) == {("Layer already exists", True)}


def test_a_build_has_steps_and_lines() -> None:
    state, steps = ProgressState(), []
    for record in RECORDED["build"]:
        state.add(record)
        steps.append((state.step, state.steps, round(state.share, 2)))
    assert list(dict.fromkeys(steps)) == [(1, 5, 0.0), (2, 5, 0.2), (3, 5, 0.4), (4, 5, 0.6), (5, 5, 0.8)]
    assert "6+0 records in" in state.lines
    assert "careful" in state.lines
    assert state.lines[-1] == "Successfully tagged 127.0.0.1:5000/shop:1"
    assert not [line for line in state.lines if "\x1b" in line or not line.strip()]
    assert (
        len(state.lines)
        == MAX_LINES
        < len([record for record in RECORDED["build"] if record.get("stream", "\n").strip()])
    )
    state.end()
    assert state.step == 5


def test_a_build_that_pulls_and_fails() -> None:
    state = state_after("build_that_fails")
    assert (state.words, len(state.layers)) == ("step 2 of 2", 4)
    assert state.error == "The command '/bin/sh -c echo before && exit 9' returned a non-zero code: 9"
    assert "before" in state.lines


def test_steps_of_podman_are_counted_too() -> None:
    file = Path(__file__).parents[2] / "recordings/podman-5.4/ImageBuild.jsonl"
    state = ProgressState()
    for record in json.loads(file.read_text("utf-8").splitlines()[0]):
        state.add(record)
    assert state.words == "step 4 of 5"


@pytest.mark.parametrize("name", RECORDED)
def test_a_terminal_shows_each_line_and_each_status_of_a_layer_once(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = PrintedSteps("it")
    for record in RECORDED[name]:
        printed.record(record)
    printed.finish()
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "it: done"
    output = [line for line in "".join(one.get("stream", "") for one in RECORDED[name]).split("\n") if line.strip()]
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in output if line != "\x1b[0m"] == [
        line for line in lines[:-1] if not re.match(r"[0-9a-f]{12}: |1: |Digest|Status|The push", line)
    ]
    states = {(one["id"], one["status"]) for one in RECORDED[name] if "progressDetail" in one and "id" in one}
    layers = [line for line in lines if re.match(r"[0-9a-f]{12}: ", line)]
    assert sorted(layers) == sorted(f"{layer}: {status}" for layer, status in states)


# -- any records


def check_limits(state: ProgressState) -> None:
    bars, more = state.bars()
    assert len(bars) <= MAX_BARS
    assert bool(more) == (len(state.layers) > MAX_BARS)
    assert len(state.lines) <= MAX_LINES
    for text in [*state.lines, state.error, state.words, *(f"{bar.name}{bar.words}" for bar in state.layers)]:
        assert not UNPRINTABLE.search(text)
        assert "\n" not in text
        assert len(text) <= 2 * MAX_LINE_LENGTH
    for bar in state.layers:
        assert 0 <= bar.share <= 1
    assert 0 <= state.share <= 1
    assert 0 <= state.step <= state.steps


@given(RECORDS)
def test_any_records_make_bars_and_lines(records: list[Any]) -> None:
    state = ProgressState()
    for record in records:
        for new in state.add(record):
            assert not UNPRINTABLE.search(new)
        check_limits(state)
    state.end()
    check_limits(state)
    assert all(bar.done and bar.share == 1 for bar in state.layers)


@given(st.lists(st.text(alphabet="ab <\r\n\x1b[91m", max_size=30), max_size=8))
def test_lines_are_the_same_wherever_they_are_cut(pieces: list[str]) -> None:
    """An engine may cut a program's output anywhere."""
    whole, cut = ProgressState(), ProgressState()
    lines = whole.add({"stream": "".join(pieces)})
    assert [line for piece in pieces for line in cut.add({"stream": piece})] == lines
    assert cut.lines == whole.lines


def test_a_line_that_is_overwritten_appears_once() -> None:
    state = ProgressState()
    for percent in range(0, 100, 10):
        state.add({"stream": f"{percent}%\r"})
        assert state.lines == [f"{percent}%"]
    assert state.add({"stream": "done\n"}) == ["done"]


def test_an_endless_line_is_cut() -> None:
    state = ProgressState()
    for _ in range(100):
        state.add({"stream": "x" * 10_000})
    assert len(state._open_line) < 10_000
    assert len(state.lines[0]) == MAX_LINE_LENGTH


def test_of_many_layers_the_unfinished_ones_are_shown() -> None:
    state = ProgressState()
    for number in range(30):
        status = "Pull complete" if number < 20 else "Downloading"
        state.add({"id": f"{number:012x}", "status": status, "progressDetail": {"current": 1, "total": 2}})
    bars, more = state.bars()
    assert [int(bar.name, 16) for bar in bars] == [0, 1, *range(20, 30)]
    assert more == "and 18 more, 18 of them done"
    assert state.words == "20 of 30 layers"


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1 << 20, "1.0 MiB"), (3 << 29, "1536.0 MiB")]
)
def test_sizes_as_text(count: int, words: str) -> None:
    assert format_size(count) == words


# -- the widget


def test_the_view_of_a_build() -> None:
    view = Steps("build of shop")
    assert view.words() == "build of shop: waiting for the engine"
    for record in RECORDED["build"]:
        view.record(record)
    assert view.words() == "build of shop: step 5 of 5"
    view.finish()
    assert view.words() == "build of shop: done, 5 steps"
    assert (view.whole.bar.value, view.whole.bar.bar_style) == (1.0, "success")
    assert "Successfully built c128503eaddb" in view.lines.value
    assert view.layers.children == ()


def test_the_view_of_a_pull_has_a_row_for_each_layer() -> None:
    view = Steps("pull of shop")
    for record in RECORDED["pull"]:
        view.record(record)
    view.finish()
    rows = view.layers.children
    assert [row.text.value for row in rows][1] == "a24fc292aba6: Pull complete"
    assert [(row.bar.value, row.bar.bar_style) for row in rows] == [(1.0, "success")] * 4
    assert view.words() == "pull of shop: done, 4 of 4 layers"


def test_more_layers_than_rows_are_counted() -> None:
    view = Steps("pull")
    for number in range(30):
        view.record({"id": f"{number:012x}", "status": "Waiting", "progressDetail": {}})
    view.finish()
    assert len(view.layers.children) == MAX_BARS + 1
    assert view.layers.children[-1].value == "and 18 more, 18 of them done"


def test_the_view_of_a_failure() -> None:
    view = Steps("build of shop")
    for record in RECORDED["build_that_fails"]:
        view.record(record)
    view.fail("200 ImageBuild: another message")
    assert view.words() == f"build of shop: failed at step 2 of 2: {RECORDED['build_that_fails'][-1]['error']}"
    assert view.whole.bar.bar_style == "danger"
    assert view.whole.bar.value == 0.5
    refused = Steps("pull of x")
    refused.fail("404 ImageCreate: no such thing\nCheck its name.")
    assert refused.words() == "pull of x: failed: 404 ImageCreate: no such thing"


def test_text_from_an_engine_is_escaped() -> None:
    view = Steps(HOSTILE)
    view.record({"stream": f"{HOSTILE}\n{HOSTILE}"})
    view.record({"id": HOSTILE, "status": HOSTILE, "progressDetail": {}})
    view.record({"status": HOSTILE})
    view.record({"error": HOSTILE})
    view.fail(HOSTILE)
    texts = [view.whole.text.value, view.lines.value, *(row.text.value for row in view.layers.children)]
    assert "<script" not in "".join(texts)
    assert all(html.escape(HOSTILE) in text for text in texts)
    assert "<script" not in view._repr_mimebundle_()["text/html"]


def test_it_is_drawn_at_most_four_times_a_second_and_always_at_the_end() -> None:
    view = Steps("build")
    texts: list[str] = []
    view.lines.observe(lambda change: texts.append(change["new"]), names="value")
    for number in range(1000):
        view.record({"stream": f"line {number}\n"})
    assert len(texts) <= 2
    wait_until(lambda: "line 999" in view.lines.value, 5 * SHORTEST_PAUSE)
    assert len(texts) <= 3, "although no record came since"
    view.finish()
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_it_ends_immediately_even_if_a_redraw_is_pending() -> None:
    view = Steps("build")
    for number in range(3):
        view.record({"stream": f"line {number}\n"})
    view.finish()
    assert "line 2" in view.lines.value
    wait_until(
        lambda: not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)],
        5 * SHORTEST_PAUSE,
    )
    assert view.words() == "build: done"


def test_it_displays_a_constant_text() -> None:
    view = Steps("build of shop")
    before = view._repr_mimebundle_()
    for record in RECORDED["build"]:
        view.record(record)
    view.finish()
    after = view._repr_mimebundle_()
    assert before["text/plain"] == after["text/plain"] == repr(view) == "<build of shop: live progress>"
    assert before["text/html"] == after["text/html"]
