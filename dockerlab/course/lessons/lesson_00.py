"""Lesson 00: what an engine is, and how to speak to it."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Verdict, failed, passed, require_answer
from dockerlab.course.outline import Choice, Exercise, Outline, Question


def api_version(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The version that the engine and the lab agreed on."""
    require_answer(answer)
    if str(answer).strip() == engine.api:
        return passed("that is the version the engine and your lab agreed on.")
    return failed(f"{answer!r} is not the version of this connection. The engine's `/_ping` has it in a header.")


def operating_system(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The OSType of GET /info."""
    require_answer(answer)
    os_type = engine.request_json("SystemInfo")["OSType"]
    if str(answer).strip() == os_type:
        return passed(f"the engine says `OSType` is {os_type!r}: containers here run on its kernel.")
    return failed(f"{answer!r} is not what the engine says about `OSType` in its answer to `GET /info`.")


OUTLINE = Outline(
    number="00",
    title="Start here",
    notebook="00-start-here.ipynb",
    endpoint="GET /_ping, GET /version, GET /info",
    minutes=15,
    names=(),
    exercises=(
        Exercise(
            name="api-version",
            task="Put the API version that your lab and the engine agreed on into `answer`, without typing a number.",
            check=api_version,
            hints=("The lab knows it: look at what `lab` shows about itself.", "It is an attribute: `lab.version`."),
            solution='answer = lab.version\nlesson.check("api-version", answer)',
        ),
        Exercise(
            name="operating-system",
            task="Ask the engine for its info, and put the value of `OSType` into `answer`.",
            check=operating_system,
            hints=(
                "`lab.system.info()` asks `GET /info`; `lab.last` is the exchange behind it.",
                '`lab.last.json()` is the engine\'s answer as Python: a dict. The key is `"OSType"`.',
            ),
            solution=(
                'lab.system.info()\nanswer = lab.last.json()["OSType"]\nlesson.check("operating-system", answer)'
            ),
        ),
    ),
    questions=(
        Question(
            "What does `docker ps` send to the engine?",
            "b",
            (
                Choice("A command line, over ssh.", "No shell is involved: the CLI is a client of an HTTP API."),
                Choice("An HTTP request, over a socket.", "Yes. Any program that speaks HTTP can send the same."),
                Choice("A system call, to the kernel.", "The engine makes those. The CLI only talks to the engine."),
            ),
        ),
        Question(
            "Your client speaks API 1.51, the engine at most 1.41. Which version goes into the request's path?",
            "a",
            (
                Choice("1.41: the newest that both know.", "Yes. That is what `/_ping` is asked for first."),
                Choice("1.51: the engine will cope.", "It won't: a version that is too new is answered with 400."),
                Choice("None: the engine guesses.", "Without one it takes its own newest, which may surprise you."),
            ),
        ),
    ),
)
