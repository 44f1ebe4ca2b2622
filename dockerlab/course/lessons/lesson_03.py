"""Lesson 03: inspect a container."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Verdict, failed, passed, require_answer
from dockerlab.course.outline import Choice, Exercise, Outline, Question


def exit_code(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The exit code of `job`."""
    require_answer(answer)
    code = engine.state("job")["ExitCode"]
    try:
        number = int(answer)
    except (TypeError, ValueError):
        return failed(f"{answer!r} is no number. An exit code is one, from 0 to 255.")
    if number == code:
        return passed(f"`job` ended with {code}: its own last word, and the engine kept it.")
    return failed(f"{number} is not the exit code of `job`. It is one of the fields of `State`.")


def colour(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The value of COLOUR in the environment of `job`."""
    require_answer(answer)
    variables = dict(entry.split("=", 1) for entry in engine.inspect("job")["Config"]["Env"])
    if answer == variables.get("COLOUR"):
        return passed(f"`job` ran with COLOUR={answer}.")
    if answer == f"COLOUR={variables.get('COLOUR')}":
        return failed("that is the whole entry. The value is what stands after the `=`.")
    return failed(f"{answer!r} is not the value of COLOUR in the environment of `job`.")


OUTLINE = Outline(
    number="03",
    title="Inspect a container",
    notebook="03-inspect.ipynb",
    endpoint="GET /containers/{id}/json",
    names=("web", "job", "talk"),
    setup="""\
lesson.web()
lesson.container("job", command=["sh", "-c", "exit 3"], env=["SIZE=small", "COLOUR=green"], start=True)
lesson.wait_until("job", "exited")
""",
    exercises=(
        Exercise(
            name="exit-code",
            task="With which code did `job` end? Let the engine say it: put the number into `answer`.",
            check=exit_code,
            hints=(
                "Inspect `job`. What became of its process is under `State`.",
                '`lab.last.json()["State"]` is a dict; the key is `"ExitCode"`.',
            ),
            solution="""\
lab.container.inspect("job")
answer = lab.last.json()["State"]["ExitCode"]
lesson.check("exit-code", answer)""",
        ),
        Exercise(
            name="colour",
            task="`job` had a variable COLOUR in its environment. Put its value into `answer`.",
            check=colour,
            hints=(
                'The environment is a list of texts, `NAME=value`, in `["Config"]["Env"]`.',
                "`entry.split('=', 1)` cuts an entry in two, and `dict(...)` takes pairs.",
            ),
            solution="""\
lab.container.inspect("job")
variables = dict(entry.split("=", 1) for entry in lab.last.json()["Config"]["Env"])
answer = variables["COLOUR"]
lesson.check("colour", answer)""",
        ),
    ),
    questions=(
        Question(
            "`State.ExitCode` of a container is 0. Has it ended well?",
            "c",
            (
                Choice("Yes.", "Not so fast: a container that runs, or never ran, has ExitCode 0 too."),
                Choice("No.", "It may have: 0 is what a program that ended well gives back."),
                Choice("Only if `Status` is `exited`.", "Yes. The code means something once the process is over."),
            ),
        ),
        Question(
            "Someone can read inspect's answer. Which secret can they read?",
            "a",
            (
                Choice("A password in an environment variable.", "Yes: `Config.Env` shows every value to all who ask."),
                Choice("A password in a file inside.", "Inspect shows no file. Export does: that is lesson 06."),
                Choice("None, the engine hides them.", "It hides nothing. Look at `Config.Env` of `job`."),
            ),
        ),
        Question(
            "What does `FinishedAt: 0001-01-01T00:00:00Z` say?",
            "b",
            (
                Choice("The engine's clock is wrong.", "It is the zero value of a time in Go, the engine's language."),
                Choice("The container has not ended yet.", "Yes: this API writes `never` as the year 1."),
                Choice("It ended before it was created.", "It would be a good trick. The year 1 is no time at all."),
            ),
        ),
    ),
)
