"""The live view of a pull, a push, a build or a load: records in, bars and words out; recorded on Docker 20.10."""

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
NASTY = "<script>alert(1)</script>"
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


def told(name: str, records: int | None = None) -> ProgressState:
    made = ProgressState()
    for record in RECORDED[name][:records]:
        made.add(record)
    return made


def layers(seen: ProgressState) -> dict[str, tuple[str, bool]]:
    return {bar.name: (bar.words, bar.done) for bar in seen.layers}


# -- what was recorded


def test_a_pull_has_a_bar_for_each_layer() -> None:
    middle = told("pull", next(n for n, one in enumerate(RECORDED["pull"]) if one.get("status") == "Extracting"))
    assert middle.words == "1 of 4 layers"
    assert layers(middle)["abc8e1a52fe7"] == ("Already exists", True)
    assert layers(middle)["a24fc292aba6"] == ("Download complete", False)
    whole = told("pull")
    assert (whole.words, whole.share) == ("4 of 4 layers", 1.0)
    assert {words for words, _ in layers(whole).values()} == {"Already exists", "Pull complete"}
    assert whole.lines[0] == "1: Pulling from shop"
    assert whole.lines[-1] == "Status: Downloaded newer image for 127.0.0.1:5000/shop:1"


def test_a_download_fills_its_bar() -> None:
    seen, shares = ProgressState(), []
    for record in RECORDED["pull"]:
        seen.add(record)
        if record.get("status") == "Downloading" and record["id"] == "a24fc292aba6":
            [bar] = [one for one in seen.layers if one.name == "a24fc292aba6"]
            shares.append(bar.share)
            assert bar.words == f"Downloading, {format_size(record['progressDetail']['current'])} of 40.0 MiB"
    assert len(shares) > 1
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1


def test_a_push_never_fills_a_bar_beyond_its_end() -> None:
    """Docker says 2.1 of 1.9 MiB: it counts what it packed, and not what it packs."""
    seen = ProgressState()
    for record in RECORDED["push"]:
        seen.add(record)
        assert all(0 <= bar.share <= 1 for bar in seen.layers)
    assert all(bar.done for bar in seen.layers)
    assert seen.words == told("push_again").words == "4 of 4 layers"
    assert set(layers(told("push_again")).values()) == {("Layer already exists", True)}


def test_a_build_counts_its_steps_and_says_its_words() -> None:
    seen, steps = ProgressState(), []
    for record in RECORDED["build"]:
        seen.add(record)
        steps.append((seen.step, seen.steps, round(seen.share, 2)))
    assert list(dict.fromkeys(steps)) == [(1, 5, 0.0), (2, 5, 0.2), (3, 5, 0.4), (4, 5, 0.6), (5, 5, 0.8)]
    assert "6+0 records in" in seen.lines
    assert "careful" in seen.lines
    assert seen.lines[-1] == "Successfully tagged 127.0.0.1:5000/shop:1"
    assert not [line for line in seen.lines if "\x1b" in line or not line.strip()]
    assert len(seen.lines) == MAX_LINES < len([one for one in RECORDED["build"] if one.get("stream", "\n").strip()])
    seen.end()
    assert seen.step == 5


def test_a_build_that_pulls_and_fails() -> None:
    seen = told("build_that_fails")
    assert (seen.words, len(seen.layers)) == ("step 2 of 2", 4)
    assert seen.error == "The command '/bin/sh -c echo before && exit 9' returned a non-zero code: 9"
    assert "before" in seen.lines


def test_podmans_steps_are_counted_too() -> None:
    file = Path(__file__).parents[2] / "recordings/podman-5.4/ImageBuild.jsonl"
    seen = ProgressState()
    for record in json.loads(file.read_text("utf-8").splitlines()[0]):
        seen.add(record)
    assert seen.words == "step 4 of 5"


@pytest.mark.parametrize("name", RECORDED)
def test_a_terminal_gets_each_line_once_and_each_status_of_a_layer_once(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = PrintedSteps("it")
    for record in RECORDED[name]:
        printed.record(record)
    printed.finish()
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "it: done"
    said = [line for line in "".join(one.get("stream", "") for one in RECORDED[name]).split("\n") if line.strip()]
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in said if line != "\x1b[0m"] == [
        line for line in lines[:-1] if not re.match(r"[0-9a-f]{12}: |1: |Digest|Status|The push", line)
    ]
    states = {(one["id"], one["status"]) for one in RECORDED[name] if "progressDetail" in one and "id" in one}
    layers = [line for line in lines if re.match(r"[0-9a-f]{12}: ", line)]
    assert sorted(layers) == sorted(f"{layer}: {status}" for layer, status in states)


# -- anything


def in_order(seen: ProgressState) -> None:
    bars, more = seen.bars()
    assert len(bars) <= MAX_BARS
    assert bool(more) == (len(seen.layers) > MAX_BARS)
    assert len(seen.lines) <= MAX_LINES
    for text in [*seen.lines, seen.error, seen.words, *(f"{bar.name}{bar.words}" for bar in seen.layers)]:
        assert not UNPRINTABLE.search(text)
        assert "\n" not in text
        assert len(text) <= 2 * MAX_LINE_LENGTH
    for bar in seen.layers:
        assert 0 <= bar.share <= 1
    assert 0 <= seen.share <= 1
    assert 0 <= seen.step <= seen.steps


@given(RECORDS)
def test_any_records_make_bars_and_lines(records: list[Any]) -> None:
    seen = ProgressState()
    for record in records:
        for new in seen.add(record):
            assert not UNPRINTABLE.search(new)
        in_order(seen)
    seen.end()
    in_order(seen)
    assert all(bar.done and bar.share == 1 for bar in seen.layers)


@given(st.lists(st.text(alphabet="ab <\r\n\x1b[91m", max_size=30), max_size=8))
def test_words_read_the_same_however_they_are_cut(pieces: list[str]) -> None:
    """An engine cuts a program's output where it likes."""
    whole, cut = ProgressState(), ProgressState()
    found = whole.add({"stream": "".join(pieces)})
    assert [line for piece in pieces for line in cut.add({"stream": piece})] == found
    assert cut.lines == whole.lines


def test_what_is_overwritten_on_a_line_is_seen_once() -> None:
    seen = ProgressState()
    for percent in range(0, 100, 10):
        seen.add({"stream": f"{percent}%\r"})
        assert seen.lines == [f"{percent}%"]
    assert seen.add({"stream": "done\n"}) == ["done"]


def test_a_line_without_an_end_is_not_kept_to_it() -> None:
    seen = ProgressState()
    for _ in range(100):
        seen.add({"stream": "x" * 10_000})
    assert len(seen._open_line) < 10_000
    assert len(seen.lines[0]) == MAX_LINE_LENGTH


def test_of_many_layers_those_in_work_are_shown() -> None:
    seen = ProgressState()
    for number in range(30):
        status = "Pull complete" if number < 20 else "Downloading"
        seen.add({"id": f"{number:012x}", "status": status, "progressDetail": {"current": 1, "total": 2}})
    bars, more = seen.bars()
    assert [int(bar.name, 16) for bar in bars] == [0, 1, *range(20, 30)]
    assert more == "and 18 more, 18 of them done"
    assert seen.words == "20 of 30 layers"


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1 << 20, "1.0 MiB"), (3 << 29, "1536.0 MiB")]
)
def test_sizes_in_words(count: int, words: str) -> None:
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


def test_the_view_of_what_fails() -> None:
    view = Steps("build of shop")
    for record in RECORDED["build_that_fails"]:
        view.record(record)
    view.fail("200 ImageBuild: what else was said")
    assert view.words() == f"build of shop: failed at step 2 of 2: {RECORDED['build_that_fails'][-1]['error']}"
    assert view.whole.bar.bar_style == "danger"
    assert view.whole.bar.value == 0.5
    never = Steps("pull of x")
    never.fail("404 ImageCreate: no such thing\nCheck its name.")
    assert never.words() == "pull of x: failed: 404 ImageCreate: no such thing"


def test_what_an_engine_says_is_escaped() -> None:
    view = Steps(NASTY)
    view.record({"stream": f"{NASTY}\n{NASTY}"})
    view.record({"id": NASTY, "status": NASTY, "progressDetail": {}})
    view.record({"status": NASTY})
    view.record({"error": NASTY})
    view.fail(NASTY)
    shown = [view.whole.text.value, view.lines.value, *(row.text.value for row in view.layers.children)]
    assert "<script" not in "".join(shown)
    assert all(html.escape(NASTY) in text for text in shown)
    assert "<script" not in view._repr_mimebundle_()["text/html"]


def test_it_is_drawn_four_times_a_second_at_most_and_the_last_is_drawn_too() -> None:
    view = Steps("build")
    drawn: list[str] = []
    view.lines.observe(lambda change: drawn.append(change["new"]), names="value")
    for number in range(1000):
        view.record({"stream": f"line {number}\n"})
    assert len(drawn) <= 2
    wait_until(lambda: "line 999" in view.lines.value, 5 * SHORTEST_PAUSE)
    assert len(drawn) <= 3, "and nobody has told anything since"
    view.finish()
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_it_ends_at_once_while_a_drawing_is_due() -> None:
    view = Steps("build")
    for number in range(3):
        view.record({"stream": f"line {number}\n"})
    view.finish()
    assert "line 2" in view.lines.value
    wait_until(
        lambda: not [one for one in threading.enumerate() if isinstance(one, threading.Timer)], 5 * SHORTEST_PAUSE
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
