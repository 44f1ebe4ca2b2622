"""Lesson 07: start a container."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Unattempted, Verdict, failed, passed
from dockerlab.course.outline import Choice, Exercise, Outline, Question


def wake(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The container `spare` runs."""
    state = engine.state("spare")["Status"]
    if state == "running":
        return passed("`spare` is `running`.")
    if state == "created":
        raise Unattempted("`spare` is `created`, not `running`: it was made; now start it.")
    return failed(f"`spare` is `{state}`, not `running`.")


def mend(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The container `broken` runs, with a command that exists."""
    container = engine.inspect("broken")
    state, command = container["State"]["Status"], container["Config"]["Cmd"]
    if state == "running" and command == ["sleep", "600"]:
        return passed("`broken` is `running`. A command can't be changed, but a container can be made again.")
    if command == ["sleeep", "600"]:
        raise Unattempted("`broken` would still run `sleeep`, a program that doesn't exist.")
    if command != ["sleep", "600"]:
        return failed(f"`broken` would run {command!r}, not ['sleep', '600'].")
    return failed(f"`broken` has the right command now, and is `{state}`, not `running`: you made it; now start it.")


OUTLINE = Outline(
    number="07",
    title="Start a container",
    notebook="07-start.ipynb",
    endpoint="POST /containers/{id}/start",
    names=("web", "spare", "other", "brief", "broken"),
    setup="""\
lesson.web(start=False)
lesson.container("spare", command=["sleep", "600"])
lesson.container("broken", command=["sleeep", "600"])
""",
    exercises=(
        Exercise(
            name="wake",
            task="`spare` is created. Make it run.",
            check=wake,
            hints=("It takes one request, and you have sent it to `web` before.", '`lab.container.start("spare")`'),
            solution='lab.container.start("spare")\nlesson.check("wake")',
        ),
        Exercise(
            name="mend",
            task="`broken` can't start: its command is misspelt (`sleeep`). Get a `broken` that runs `sleep 600`.",
            check=mend,
            hints=(
                "No request changes a container's command. The name can be free again, though.",
                'Delete it with `lab.container.delete("broken")`, make it again with the right command, and start it.',
            ),
            solution="""\
lab.container.delete("broken")
lesson.container("broken", command=["sleep", "600"], start=True)
lesson.check("mend")""",
        ),
    ),
    questions=(
        Question(
            "You start a container that runs already. What does the engine answer?",
            "b",
            (
                Choice("409, a conflict.", "A conflict would mean that it can't be done. Here it is done already."),
                Choice("304, not modified.", "Yes: what you want is so, and nothing was changed. It is no error."),
                Choice("204, and a second process.", "One container has one first process, however often you ask."),
            ),
        ),
        Question(
            "The engine answered 204 to your start. What do you know?",
            "a",
            (
                Choice("A process was started.", "Yes, and no more. It may have ended a moment later."),
                Choice("The web service answers requests.", "The engine knows nothing of your service: see its log."),
                Choice("The process is still there.", "It was, for a moment. Ask again with inspect to know."),
            ),
        ),
        Question(
            "Where do you read why `broken` did not start?",
            "c",
            (
                Choice("In its log.", "Nothing ran, so nothing was printed."),
                Choice("In its process list.", "It has none: 409."),
                Choice("In the answer, and in `State.Error`.", "Yes: said at once, and kept for inspect."),
            ),
        ),
    ),
)
