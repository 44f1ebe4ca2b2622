"""Lesson 05: a container's logs."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Verdict, failed, lines_in, passed, require_answer
from dockerlab.course.outline import Choice, Exercise, Outline, Question


def last_two(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The last two lines of web's log."""
    require_answer(answer)
    expected, lines = engine.log("web", tail="2"), lines_in(answer)
    if lines == expected:
        return passed(f"these are the last two lines of `web`; the very last says {expected[-1]!r}.")
    if lines == engine.log("web"):
        return failed(f"that is the whole log, {len(lines)} lines. Let the engine cut it: there is an argument for it.")
    return failed(f"you have {len(lines)} lines, and they are not the last two of `web`'s log.")


def complaints(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """What web wrote to its standard error."""
    require_answer(answer)
    expected, lines = engine.log("web", stdout=False), lines_in(answer)
    if lines == expected:
        return passed(f"`web` complained {len(expected)} time, on its standard error: {'; '.join(expected)}.")
    if set(expected) < set(lines):
        return failed(
            f"the complaint is there, with {len(lines) - len(expected)} lines of the standard output around it."
        )
    return failed(f"your {len(lines)} lines are not what `web` wrote to its standard error.")


OUTLINE = Outline(
    number="05",
    title="Read a container's logs",
    notebook="05-logs.ipynb",
    endpoint="GET /containers/{id}/logs",
    names=("web", "term", "busy"),
    setup="""\
lesson.web()
""",
    exercises=(
        Exercise(
            name="last-two",
            task="Ask the engine for the last two lines of `web`'s log, and for no more.",
            check=last_two,
            hints=(
                "Every argument of the endpoint is an argument of `lab.container.logs`. Which one counts from the end?",
                "`tail=2`",
            ),
            solution="""\
answer = lab.container.logs("web", tail=2)
lesson.check("last-two", answer)""",
        ),
        Exercise(
            name="complaints",
            task="Ask for what `web` wrote to its standard error, and for nothing else.",
            check=complaints,
            hints=(
                "A container has two output streams, and the endpoint has a switch for each.",
                "`stdout=False, stderr=True`",
            ),
            solution="""\
answer = lab.container.logs("web", stdout=False, stderr=True)
lesson.check("complaints", answer)""",
        ),
    ),
    questions=(
        Question(
            "Where does the engine get a container's log from?",
            "a",
            (
                Choice("From what its processes print.", "Yes: standard output and standard error. No file inside."),
                Choice("From /var/log inside of it.", "A program that logs into a file stays silent here."),
                Choice("From the kernel.", "The kernel has a log of its own; it knows nothing of your `echo`."),
            ),
        ),
        Question(
            "Each piece of the stream begins with 8 bytes. What for?",
            "b",
            (
                Choice("They are a checksum.", "Nothing is checked: the first byte is 1 or 2, the last four a length."),
                Choice(
                    "They say which stream, and how long.",
                    "Yes. So output and error can share one connection.",
                ),
                Choice("They are the time.", "Times come as text, and only if you ask with `timestamps=1`."),
            ),
        ),
        Question(
            "A container with a TTY sends no such frames. How do you know beforehand?",
            "c",
            (
                Choice("From the first byte.", "Output may begin with any byte, also with 1."),
                Choice("From the Content-Type.", "Older engines send the same one for both: it can't be trusted."),
                Choice("From `Config.Tty` in inspect.", "Yes: a TTY has one stream, nothing to tell apart."),
            ),
        ),
    ),
)
