"""Live views: single steps, threads that end, and the still form for pages without widgets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

import dockerlab
from dockerlab import widgets
from dockerlab.course import Lesson

HTML = "<b>bold</b>"


@pytest.fixture
def lesson(host: str) -> Iterator[Lesson]:
    started = dockerlab.lesson("08", engine=host)
    yield started
    started.finish()
    started.close()


def becomes_true(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_containers_step_by_step(lesson: Lesson) -> None:
    view = widgets.Containers(lesson.lab, filters=lesson.filters)
    view.step()
    assert "No container." in view.table.value
    lesson.container("naps", ["echo", HTML])
    view.step()
    assert "naps" in view.table.value
    assert "created" in view.table.value
    assert HTML not in view.table.value
    assert "&lt;b&gt;bold" in view.table.value


def test_processes_step_by_step(lesson: Lesson) -> None:
    view = widgets.Processes(lesson.lab, "naps")
    view.step()
    assert "No process" in view.table.value
    lesson.container("naps", ["sleep", "600"], start=True)
    data = view.step()
    assert "sleep 600" in view.table.value
    assert list(view.still(data).rows) == [("sleep 600",)]


def test_logs_step_by_step(lesson: Lesson) -> None:
    lesson.container("prints", ["sh", "-c", f"for n in 1 2 3 4; do echo line $n; done; echo '{HTML}'"], start=True)
    lesson.wait_until("prints", "exited")
    view = widgets.Logs(lesson.lab, "prints", lines=2, first=3)
    data = view.step()
    assert view.live(data).rows == (("stdout", "line 4"), ("stdout", HTML))
    assert view.still(data).rows == (("stdout", "line 1"), ("stdout", "line 2"), ("stdout", "line 3"))
    assert HTML not in view.table.value


def test_logs_of_a_terminal(lesson: Lesson) -> None:
    lesson.container("prints", ["echo", "hello"], tty=True, start=True)
    lesson.wait_until("prints", "exited")
    assert widgets.Logs(lesson.lab, "prints").step() == [("stdout", "hello")]


def test_states_are_recorded_in_order(lesson: Lesson) -> None:
    view = widgets.States(lesson.lab, "naps")
    view.step()
    lesson.container("naps", ["sleep", "600"])
    view.step()
    lesson.lab.call("ContainerStart", id="naps")
    view.step()
    lesson.lab.call("ContainerKill", id="naps")
    lesson.wait_until("naps", "exited")
    data = view.step()
    assert [state for _, state, _ in data] == ["gone", "created", "running", "exited"]
    assert view.still(data).rows[0] == ("naps", "gone")


def test_displaying_starts_a_view_and_the_lesson_stops_it(lesson: Lesson) -> None:
    lesson.container("naps", ["sleep", "600"])
    view = widgets.Containers(lesson.lab, filters=lesson.filters)
    assert not view.running
    bundle = view._repr_mimebundle_()
    assert bundle["text/plain"] == repr(view) == "<Containers: a live view>"
    assert "naps" in bundle["text/html"]
    assert view.running
    lesson.container("later", ["sleep", "600"])
    assert becomes_true(lambda: "later" in view.table.value)
    lesson.finish()
    assert not view.running
    assert "stopped" in view.note.value
    assert view.button.description == "Start"


def test_the_button_starts_and_stops(lesson: Lesson) -> None:
    view = widgets.Containers(lesson.lab, filters=lesson.filters)
    view.button.click()
    assert becomes_true(lambda: view.running)
    view.button.click()
    assert becomes_true(lambda: not view.running)
    view.button.click()
    assert becomes_true(lambda: view.running)


def test_a_view_stops_by_itself(lesson: Lesson) -> None:
    view = widgets.Containers(lesson.lab, filters=lesson.filters, seconds=0.5, pause=0.25)
    view.start()
    assert becomes_true(lambda: not view.running)
    assert "stopped" in view.note.value


def test_at_most_four_requests_a_second(lesson: Lesson) -> None:
    view = widgets.Containers(lesson.lab, filters=lesson.filters, seconds=1, pause=0.001)
    times: list[float] = []
    ask = view.ask
    view.ask = lambda lab: (times.append(time.monotonic()), ask(lab))[1]  # type: ignore[method-assign]
    view.start()
    assert becomes_true(lambda: not view.running)
    assert 2 <= len(times) <= 4


def test_an_error_is_shown_and_stops_the_view(lesson: Lesson) -> None:
    view = widgets.Logs(lesson.lab, "nobody")
    assert "nobody" in view._repr_mimebundle_()["text/html"]
    assert becomes_true(lambda: not view.running)
    assert "stopped: 404" in view.note.value


def test_views_are_not_in_the_wire_log(lesson: Lesson) -> None:
    lesson.container("naps", ["sleep", "600"])
    before = len(lesson.lab.wire)
    widgets.Containers(lesson.lab, filters=lesson.filters).step()
    assert len(lesson.lab.wire) == before
    assert lesson.lab.last.operation.id == "ContainerCreate"


def test_no_thread_remains(lesson: Lesson) -> None:
    for _ in range(3):
        widgets.Containers(lesson.lab, filters=lesson.filters)._repr_mimebundle_()
    widgets.stop_all()
    assert [thread.name for thread in threading.enumerate() if thread.name == "dockerlab-view"] == []
