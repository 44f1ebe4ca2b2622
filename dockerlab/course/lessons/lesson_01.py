"""Lesson 01: list containers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dockerlab.course.checks import (
    ReadOnlyEngine,
    Unattempted,
    Verdict,
    failed,
    names_in,
    passed,
    quoted,
    require_answer,
)
from dockerlab.course.outline import Choice, Exercise, Outline, Question


def ended(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The containers of this lesson that are exited, and no other."""
    require_answer(answer)
    expected = sorted(name for name, state in engine.states().items() if state == "exited")
    if not expected:
        raise Unattempted("no container of this lesson is `exited`: run the cells above first.")
    names = sorted(names_in(answer))
    if names == expected:
        return passed(f"of this lesson's containers, {quoted(expected)} is `exited`, and you have exactly that.")
    if not names:
        return failed("your answer is empty. Without `all=True` or a status filter, only running ones come.")
    return failed(f"your answer has {quoted(names)}; `exited` in this lesson is {quoted(expected)}.")


def by_state(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """How many containers of this lesson are in which state."""
    require_answer(answer)
    expected = dict(sorted(Counter(engine.states().values()).items()))
    counts = {str(state): int(count) for state, count in dict(answer).items()}
    if counts == expected:
        return passed(f"the engine counts the same: {_sentence(expected)}.")
    return failed(f"you counted {_sentence(counts)}; the engine has {_sentence(expected)} with this lesson's labels.")


def _sentence(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing"


OUTLINE = Outline(
    number="01",
    title="List containers",
    notebook="01-list-containers.ipynb",
    endpoint="GET /containers/json",
    names=("web", "setup", "spare"),
    setup="""\
lesson.web()
lesson.container("setup", command=["sh", "-c", "echo prepared"], start=True)
lesson.container("spare", command=["sleep", "600"])
lesson.wait_until("setup", "exited")
""",
    exercises=(
        Exercise(
            name="ended",
            task="List those of this lesson's containers that have ended, and no other. Let the engine sort them out.",
            check=ended,
            hints=(
                "A filter is a dict: its keys are the engine's words, and `lesson.filters` is one already.",
                'Add to it: `filters={**lesson.filters, "status": "exited"}`. A status filter needs no `all=True`.',
            ),
            solution="""\
answer = lab.container.list(filters={**lesson.filters, "status": "exited"})
lesson.check("ended", answer)""",
        ),
        Exercise(
            name="by-state",
            task="Count this lesson's containers by state: `answer` is a dict such as {'running': 2}.",
            check=by_state,
            hints=(
                "List all of them first, the ones that don't run too. The table has a column `state`.",
                "`value_counts()` on that column counts; `.to_dict()` makes a dict of it.",
            ),
            solution="""\
everything = lab.container.list(all=True, filters=lesson.filters)
answer = everything["state"].value_counts().to_dict()
lesson.check("by-state", answer)""",
        ),
    ),
    questions=(
        Question(
            "`GET /containers/json` without parameters answers `[]`. What do you know?",
            "c",
            (
                Choice("The engine has no containers.", "It may have hundreds: those that don't run are not shown."),
                Choice("You may not see them.", "The engine has no per-user view: who may ask sees everything."),
                Choice("No container is running.", "Yes. `all=1` would also show the created and the ended ones."),
            ),
        ),
        Question(
            "A program must know whether `web` runs. Which field should it read?",
            "a",
            (
                Choice("State", "Yes: one word of a fixed list, made for programs."),
                Choice("Status", "That is a phrase for people, such as `Up 2 hours`. It changes every minute."),
                Choice("Command", "That says what was asked to run, not whether it does."),
            ),
        ),
    ),
)
