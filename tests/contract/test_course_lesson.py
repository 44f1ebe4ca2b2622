"""Lessons: they start, wait, tell their story, finish, and change nothing that is not their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from plain_http import ask

import dockerlab
from dockerlab.course import Lesson, LessonError


@pytest.fixture
def lesson(host: str) -> Iterator[Lesson]:
    started = dockerlab.lesson("08", engine=host)
    yield started
    started.finish()
    started.close()


@pytest.fixture
def foreign(host: str, labels: dict[str, str]) -> Any:
    """Give a function that makes a container that is not part of the lesson."""

    def make_container(name: str, more: dict[str, str] | None = None) -> dict[str, Any]:
        body = {"Image": "busybox", "Cmd": ["sleep", "60"], "Labels": {**labels, **(more or {})}}
        status, container = ask(host, "POST", f"/containers/create?name={name}", body)
        assert status == 201, container
        return container

    return make_container


def container_names(lesson: Lesson) -> list[str]:
    return sorted(
        item["Names"][0] for item in lesson.lab.call("ContainerList", all=True, filters=lesson.filters).json()
    )


def test_repr_is_one_stable_line(lesson: Lesson) -> None:
    assert repr(lesson) == "<Lesson 08 · Stop a container · engine ready>"
    assert "engine is ready" in lesson._repr_html_()


def test_a_lesson_number_is_text_or_int(host: str) -> None:
    for number in ("0", "00", 0):
        with_number = dockerlab.lesson(number, engine=host)
        assert with_number.outline.number == "00"
        with_number.close()


def test_an_unknown_lesson_is_an_error(host: str) -> None:
    with pytest.raises(LessonError, match=r"There is no lesson 99\. The lessons are 00, 01"):
        dockerlab.lesson("99", engine=host)


def test_container_is_labelled_and_made_through_the_lab(lesson: Lesson) -> None:
    assert lesson.container("naps", ["sleep", "60"], labels={"more": "yes"}, env=["A=1"]) == "naps"
    assert lesson.lab.last.operation.id == "ContainerCreate"
    config = lesson.lab.call("ContainerInspect", id="naps").json()["Config"]
    assert config["Labels"] == {**lesson.labels, "more": "yes"}
    assert lesson.labels == {"dockerlab.lesson": "08", "dockerlab.session": os.environ["DOCKERLAB_SESSION"]}
    assert "A=1" in config["Env"]


def test_a_cell_can_be_run_again(lesson: Lesson) -> None:
    for _ in range(2):
        lesson.container("naps", ["sleep", "60"], start=True)
    assert container_names(lesson) == ["/naps"]


def test_the_web_service_logs_reloads_and_stops(lesson: Lesson) -> None:
    assert lesson.web() == "web"
    engine = lesson._read_only
    assert engine.log("web", stderr=False) == [
        "web: starting",
        "web: visit 1: Hello from web",
        "web: visit 2: Hello from web",
        "web: visit 3: Hello from web",
        "web: ready",
    ]
    assert engine.log("web", stdout=False) == ["web: warning: there is no favicon.ico"]
    processes = lesson.lab.call("ContainerTop", id="web", ps_args="-o pid,args").json()["Processes"]
    assert [row[-1].split()[0] for row in processes] == ["sh", "httpd", "sleep"]
    for times in (1, 2):
        lesson.lab.call("ContainerKill", id="web", signal="SIGHUP")
        lesson.wait_until("web", "web: reloading", times=times)
    after = lesson.lab.call("ContainerTop", id="web", ps_args="-o pid,args").json()["Processes"]
    assert [row[-1] for row in after] == [row[-1] for row in processes]
    lesson.lab.call("ContainerStop", id="web")
    assert lesson.lab.last.seconds < 3
    assert engine.state("web")["ExitCode"] == 0
    assert "web: goodbye" in engine.log("web")


def test_the_web_service_can_repeat_its_visits(lesson: Lesson) -> None:
    lesson.web(every=1)
    assert lesson.wait_until("web", "web: visit 5: Hello from web") == "web"


def test_two_services_side_by_side(lesson: Lesson) -> None:
    lesson.web()
    lesson.web("spare")
    for name in ("web", "spare"):
        rows = lesson.lab.call("ContainerTop", id=name, ps_args="-o pid,args").json()["Processes"]
        assert [row[-1].split()[0] for row in rows] == ["sh", "httpd", "sleep"]


def test_the_stubborn_service(lesson: Lesson) -> None:
    lesson.stubborn()
    lesson.lab.call("ContainerStop", id="stubborn", t=1)
    assert 1 <= lesson.lab.last.seconds < 4
    assert lesson._read_only.state("stubborn")["ExitCode"] == 137
    assert lesson._read_only.log("stubborn") == ["stubborn: ready", "stubborn: I heard TERM, and I stay"]


def test_the_counter_keeps_its_file(lesson: Lesson) -> None:
    lesson.counter()
    lesson.lab.call("ContainerRestart", id="counter")
    assert lesson.lab.last.seconds < 4
    lesson.wait_until("counter", "counter: start number 2")


def test_wait_until_says_what_it_saw(lesson: Lesson) -> None:
    lesson.container("once", ["echo", "said"], start=True)
    lesson.wait_until("once", "said")
    lesson.wait_until("once", "exited")  # it may still run for a moment, or be `stopped` on Podman
    with pytest.raises(
        LessonError, match=r"Waited 0.2 s for 'paused' of `once`\. Its state is `exited`\. Its last line is 'said'\."
    ):
        lesson.wait_until("once", "paused", timeout=0.2)
    with pytest.raises(LessonError, match=r"Its state is `gone`\."):
        lesson.wait_until("nobody", "running", timeout=0.2)
    lesson.lab.call("ContainerDelete", id="once")
    assert lesson.wait_until("once", "gone") == "once"


def test_check_never_raises(lesson: Lesson) -> None:
    assert "this lesson has no exercise" in str(lesson.check("nothing"))
    assert lesson.check("nothing").word == "EXCEPTION"
    first = dockerlab.lesson("01", engine=lesson.lab.endpoint.url)
    first.container("setup", ["true"], start=True)
    first.wait_until("setup", "exited")
    verdict = first.check("ended", object())
    first.finish()
    first.close()
    assert verdict.word == "EXCEPTION"
    assert "TypeError" in verdict.observed
    assert "0x" not in verdict.observed


def test_check_and_wait_are_not_in_the_wire_log(lesson: Lesson) -> None:
    lesson.container("naps", ["sleep", "60"])
    before = len(lesson.lab.wire)
    lesson.check("in-a-hurry")
    lesson.wait_until("naps", "created")
    assert len(lesson.lab.wire) == before


def test_hints_and_solution(lesson: Lesson) -> None:
    assert str(lesson.hint("own-word")).startswith("Hint 1 for own-word: ")
    lesson.check("own-word")
    assert str(lesson.hint()) == str(lesson.hint("own-word", 1))
    assert str(lesson.hint(2)) == str(lesson.hint("own-word", 2)) == str(lesson.hint("own-word", 7))
    assert 'lab.container.stop("polite")' in str(lesson.solution())
    assert str(lesson.solution("in-a-hurry")).startswith("Solution of in-a-hurry\n")
    assert str(lesson.hint("nothing")).startswith("No such exercise")
    assert str(lesson.solution("nothing")).startswith("No such exercise")


def test_quiz_by_number(lesson: Lesson) -> None:
    assert lesson.quiz(1).answer("a").heading == "Right, a"
    with pytest.raises(LessonError, match="has no question 9, only 1 to 3"):
        lesson.quiz(9)


def test_story(lesson: Lesson) -> None:
    lesson.container("naps", ["sleep", "60"], start=True)
    lab = lesson.lab
    details = lab.call("ContainerInspect", id="naps").json()
    lab.call("ContainerStart", id="naps")
    lab.call("ContainerKill", id=details["Id"])
    lab.call("ContainerWait", id="naps")
    with pytest.raises(dockerlab.errors.EngineError):
        lab.call("ContainerKill", id="naps")
    with pytest.raises(dockerlab.errors.EngineError):
        lab.call("ContainerCreate", name="naps", image="busybox", labels=lesson.labels)
    lab.call("ContainerDelete", id=details["Id"][:12])
    table = lesson.story()
    assert list(table.itertuples(name=None)) == [
        (1, "ContainerCreate", "naps", 201, True),
        (2, "ContainerStart", "naps", 204, True),
        (3, "ContainerStart", "naps", 304, False),
        (4, "ContainerKill", "naps", 204, True),
        (5, "ContainerKill", "naps", 409, False),
        (6, "ContainerCreate", "naps", 409, False),
        (7, "ContainerDelete", "naps", 204, True),
    ]
    assert str(table["status"].dtype) == "Int64"


def test_story_of_nothing(host: str) -> None:
    quiet = dockerlab.lesson("00", engine=host)
    table = quiet.story()
    quiet.close()
    assert list(table.columns) == ["operation", "object", "status", "changed"]
    assert len(table) == 0


def test_start_and_finish_remove_only_their_own_containers(host: str, lesson: Lesson, foreign: Any) -> None:
    labels = lesson.labels
    foreign_containers = [
        foreign("somebodys"),
        foreign("other-lesson", {**labels, "dockerlab.lesson": "07"}),
        foreign("other-session", {**labels, "dockerlab.session": "not-me"}),
        foreign("half", {"dockerlab.lesson": "08"}),
    ]
    lesson.container("running", ["sleep", "60"], start=True)
    lesson.container("created", ["sleep", "60"])
    assert str(lesson.finish()) == (
        "Lesson 08 is finished: Removed 2 containers: created, running. Nothing of this lesson is left.\n"
        "Next: 09-restart.ipynb"
    )
    assert str(lesson.finish()).startswith("Lesson 08 is finished: There was nothing to remove. Nothing of this lesson")
    lesson.container("left", ["sleep", "60"])
    again = dockerlab.lesson("08", engine=host)
    assert container_names(again) == []
    again.close()
    for container in foreign_containers:
        assert ask(host, "GET", f"/containers/{container['Id']}/json")[0] == 200


def test_a_name_in_use_outside_the_lesson(host: str, foreign: Any) -> None:
    container = foreign("polite")
    with pytest.raises(
        LessonError, match=r"This engine already has a container named `polite`, which is not part of this lesson"
    ) as error:
        dockerlab.lesson("08", engine=host)
    assert "docker rename polite my-polite" in str(error.value)
    assert ask(host, "GET", f"/containers/{container['Id']}/json")[0] == 200


def test_a_name_in_use_by_another_lesson(host: str, lesson: Lesson) -> None:
    lesson.web(start=False)
    with pytest.raises(LessonError, match="Lesson 08 is not finished") as error:
        dockerlab.lesson("10", engine=host)
    assert 'dockerlab.lesson("08").finish()' in str(error.value)
    assert container_names(lesson) == ["/web"]


def test_a_name_that_is_used_after_the_start(lesson: Lesson, foreign: Any) -> None:
    foreign("web")
    with pytest.raises(LessonError, match="not part of this lesson and is left alone"):
        lesson.web()


def test_a_check_needs_the_labels_of_the_lesson(lesson: Lesson, foreign: Any) -> None:
    foreign("polite")
    assert "without this lesson's labels" in str(lesson.check("own-word"))
