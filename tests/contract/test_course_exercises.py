"""Every exercise on a real engine: untouched, with wrong answers, with its solution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dockerlab
from dockerlab.course import Lesson
from dockerlab.course.catalog import LESSONS

#: For each exercise: what a learner may try (code), and words of the FAIL that they get.
WRONG: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("00", "api-version"): [('answer = "9.99"', "'9.99' is not the version of this connection")],
    ("00", "operating-system"): [('answer = "windows"', "'windows' is not what the engine says")],
    ("01", "ended"): [
        ("answer = lab.container.list(filters=lesson.filters)", "your answer has `web`; `exited` in"),
        ("answer = lab.container.list(all=True, filters=lesson.filters)", "your answer has `setup`, `spare`, `web`"),
        ("answer = []", "your answer is empty"),
    ],
    ("01", "by-state"): [
        (
            'answer = lab.container.list(filters=lesson.filters)["state"].value_counts().to_dict()',
            "you counted 1 running; the engine has 1 created, 1 exited, 1 running",
        ),
    ],
    ("02", "greeter"): [
        (
            'lab.call("ContainerCreate", name="greeter", image="busybox", cmd=["echo", "hello"])',
            "without this lesson's labels",
        ),
        (
            'lab.call("ContainerDelete", id="greeter"); lesson.container("greeter", ["echo", "bye"])',
            "would run ['echo', 'bye']",
        ),
        ('lesson.container("greeter", ["echo", "hello"])', "no variable GREETING=hello"),
        (
            'lesson.container("greeter", ["echo", "hello"], env=["GREETING=hello"], start=True)\n'
            'lesson.wait_until("greeter", "exited")',
            "`greeter` is `exited`, not `created`",
        ),
        ('lab.call("ContainerDelete", id="greeter")', "UNATTEMPTED"),
    ],
    ("02", "spare"): [
        ('lesson.container("spare", ["sleep", "60"])', "it is not the web service"),
        ('lesson.web("spare", start=False)', "has the restart policy"),
        (
            'lesson.web("spare", start=False, host_config={"RestartPolicy": {"Name": "on-failure"}})',
            "0 times at most, not 3",
        ),
        ('lab.call("ContainerDelete", id="spare")', "UNATTEMPTED"),
    ],
    ("03", "exit-code"): [('answer = 0', "0 is not the exit code"), ('answer = "three"', "'three' is no number")],
    ("03", "colour"): [
        ('answer = "COLOUR=green"', "that is the whole entry"),
        ('answer = "red"', "'red' is not the value"),
    ],
    ("04", "programs"): [
        ('answer = list(lab.container.top("web")["cmd"])', "whole command lines"),
        ('answer = ["sh"]', "you have sh; the engine sees 3 processes"),
    ],
    ("04", "sleepers"): [
        ('lesson.container("sleepers", ["sh", "-c", "sleep 600; true"])', "`sleepers` is `created`, not `running`"),
        ('lesson.container("sleepers", ["sleep", "600"], start=True)', "sees 1 `sleep`"),
    ],
    ("05", "last-two"): [
        ('answer = lab.container.logs("web")', "that is the whole log, 6 lines"),
        ('answer = lab.container.logs("web", tail=3)', "you have 3 lines, and they are not the last two"),
    ],
    ("05", "complaints"): [
        ('answer = lab.container.logs("web")', "with 5 lines of the standard output around it"),
        ('answer = lab.container.logs("web", stderr=False, stdout=True)', "your 5 lines are not what"),
    ],
    ("06", "page-size"): [("answer = 1", "1 is not the size"), ('answer = "small"', "'small' is not one number")],
    ("06", "diary"): [
        ('lesson.container("diary", ["sh", "-c", "true"])', "`diary` is `created`, not `exited`"),
        (
            'lesson.container("diary", ["sh", "-c", "exit 2"], start=True); lesson.wait_until("diary", "exited")',
            "ended with 2, not with 0",
        ),
        (
            'lesson.container("diary", ["sh", "-c", "true"], working_dir="/srv/diary", start=True)\n'
            'lesson.wait_until("diary", "exited")',
            "no line in srv/diary/today.txt",
        ),
    ],
    ("07", "wake"): [
        ('lab.call("ContainerStart", id="spare"); lab.call("ContainerKill", id="spare")\n'
         'lesson.wait_until("spare", "exited")', "`spare` is `exited`, not `running`"),
    ],
    ("07", "mend"): [
        ('lesson.container("broken", ["sleep", "6"])', "would run ['sleep', '6']"),
        ('lesson.container("broken", ["sleep", "600"])', "you made it; now start it"),
    ],
    ("08", "in-a-hurry"): [
        (
            'lab.call("ContainerKill", id="stubborn", signal="SIGTERM")\nlesson.wait_until("stubborn", "and I stay")',
            "has heard TERM, and is still `running`",
        ),
        (
            'lesson.stubborn(); lab.call("ContainerKill", id="stubborn"); lesson.wait_until("stubborn", "exited")',
            "that was kill, not stop",
        ),
        (
            'lesson.stubborn(); lab.call("ContainerKill", id="stubborn", signal="INT")\n'
            'lesson.wait_until("stubborn", "exited")',
            "`stubborn` ended with 0",
        ),
        ("lesson.stubborn()", "UNATTEMPTED"),
    ],
    ("08", "own-word"): [
        ('lesson.stubborn("polite")', "it would not leave"),
        ('lesson.stubborn("polite", stop_signal="SIGINT")', "is `running`: now let it run, and stop it"),
        ('lab.call("ContainerKill", id="polite"); lesson.wait_until("polite", "exited")', "ended with 137, not with 0"),
    ],
    ("09", "third-time"): [
        (
            'lab.call("ContainerRestart", id="counter"); lesson.wait_until("counter", "number 2")',
            "has been started 2 times, not three",
        ),
    ],
    ("09", "phoenix"): [
        ('lesson.container("phoenix", ["sh", "-c", "exit 1"])', "`phoenix` has the restart policy"),
        (
            'lesson.container("phoenix", ["sh", "-c", "exit 1"],'
            ' host_config={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})',
            "`phoenix` is `created`: you made it; now start it",
        ),
        (
            'lesson.container("phoenix", ["true"], start=True,'
            ' host_config={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})\n'
            'lesson.wait_until("phoenix", "exited")',
            "that is no failure",
        ),
    ],
    ("10", "gentlest"): [
        (
            'lab.call("ContainerKill", id="stubborn", signal="SIGTERM")\nlesson.wait_until("stubborn", "and I stay")',
            "heard TERM and stays",
        ),
        ('lab.call("ContainerKill", id="stubborn"); lesson.wait_until("stubborn", "exited")', "ended with 137"),
        ('lesson.stubborn()', "UNATTEMPTED"),
    ],
    ("10", "the-end"): [
        ('lab.call("ContainerKill", id="web"); lesson.wait_until("web", "exited")', "killed without a goodbye"),
        ('lesson.web(); lab.call("ContainerStop", id="web")', "with 0: it ended well"),
        ("lesson.web()", "UNATTEMPTED"),
    ],
}  # fmt: skip

EXERCISES = [(number, exercise.name) for number, outline in LESSONS.items() for exercise in outline.exercises]


@pytest.fixture
def begin(host: str) -> Iterator[Callable[[str], tuple[Lesson, dict[str, Any]]]]:
    """Give a function that starts a lesson and runs its setup. Its containers are removed at the end."""
    lessons: list[Lesson] = []

    def run(number: str) -> tuple[Lesson, dict[str, Any]]:
        lesson = dockerlab.lesson(number, engine=host)
        lessons.append(lesson)
        names = {"lesson": lesson, "lab": lesson.lab, "dockerlab": dockerlab}
        exec(lesson.outline.setup, names)
        return lesson, names

    yield run
    for lesson in lessons:
        lesson.finish()
        lesson.close()


def test_every_exercise_has_wrong_answers() -> None:
    assert sorted(WRONG) == sorted(EXERCISES)


@pytest.mark.parametrize(("number", "name"), EXERCISES)
def test_untouched_wrong_and_right(begin: Callable[[str], Any], number: str, name: str) -> None:
    lesson, names = begin(number)
    for empty in (None, ...):
        assert lesson.check(name, empty).word == "UNATTEMPTED"
    for code, words in WRONG[number, name]:
        names["answer"] = None
        exec(code, names)
        verdict = lesson.check(name, names["answer"])
        assert words in str(verdict), code
        assert verdict.word == ("UNATTEMPTED" if words == "UNATTEMPTED" else "FAIL"), verdict
    exercise = lesson.outline.exercise(name)
    assert exercise is not None
    *solution, check = exercise.solution.splitlines()
    exec("\n".join(solution), names)
    verdict = eval(check, names)
    assert verdict.word == "PASS", verdict
    assert verdict.observed
