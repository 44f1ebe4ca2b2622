"""The outline of a lesson: what `lessons/lesson_NN.py` declares. Pure data; nothing here talks to an engine."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dockerlab.course.checks import Look, Verdict

#: Looks at the engine, and at the answer if the exercise asks for one.
Check = Callable[["Look", Any], "Verdict"]


@dataclass(frozen=True, slots=True)
class Exercise:
    """One thing to do.

    `solution` is the code of the hidden solution cell, letter by letter: its last line is the check.
    `hints` are two: the first says where to look, the second nearly says it.
    """

    name: str
    task: str
    check: Check
    hints: tuple[str, str]
    solution: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One possible answer of a question, and what to say to someone who gives it."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with choices a, b, c…; `right` is the letter of the right one."""

    text: str
    right: str
    choices: tuple[Choice, ...]

    @property
    def letters(self) -> str:
        """The letters of the choices: `abc` for three."""
        return "abcdefgh"[: len(self.choices)]


@dataclass(frozen=True, slots=True)
class Outline:
    """One lesson: its names, exercises and questions.

    `setup` is the code that a notebook has run by the time of the exercises: it makes what they speak of.
    `names` are all the container names that the lesson and its solutions use.
    """

    number: str
    title: str
    notebook: str
    endpoint: str
    names: tuple[str, ...]
    exercises: tuple[Exercise, ...]
    questions: tuple[Question, ...]
    setup: str = ""
    minutes: int = 20
    words: dict[str, str] = field(default_factory=dict)

    def exercise(self, name: str) -> Exercise | None:
        """Give the exercise of that name."""
        return next((exercise for exercise in self.exercises if exercise.name == name), None)


#: Every lesson there is, in its order, and its notebook.
NOTEBOOKS = {
    "00": "00-start-here.ipynb",
    "01": "01-list-containers.ipynb",
    "02": "02-create.ipynb",
    "03": "03-inspect.ipynb",
    "04": "04-process-list.ipynb",
    "05": "05-logs.ipynb",
    "06": "06-export.ipynb",
    "07": "07-start.ipynb",
    "08": "08-stop.ipynb",
    "09": "09-restart.ipynb",
    "10": "10-kill.ipynb",
}


@dataclass(frozen=True, slots=True)
class Analysis:
    """A notebook of the second kind: it reads recorded data, talks to no engine, and has no exercises.

    `after` is the lesson that it takes up.
    """

    number: str
    title: str
    notebook: str
    after: str
    minutes: int = 10


#: Every analysis there is, in its order.
ANALYSES = {
    one.number: one
    for one in (
        Analysis("A1", "Investigate a log", "A1-log-investigation.ipynb", "05"),
        Analysis("A2", "Resources over time", "A2-resources-over-time.ipynb", "04"),
        Analysis("A3", "Where images' bytes are", "A3-where-bytes-are.ipynb", "06"),
        Analysis("A4", "A fleet", "A4-a-fleet.ipynb", "10"),
        Analysis("A5", "A security look at one container", "A5-a-security-look.ipynb", "03"),
    )
}


def following(number: str) -> str:
    """Give the notebook after this lesson's, or an empty text after the last one."""
    numbers = list(NOTEBOOKS)
    place = numbers.index(number) + 1
    return NOTEBOOKS[numbers[place]] if place < len(numbers) else ""


def load(number: str) -> Outline:
    """Import the outline of one lesson."""
    outline = importlib.import_module(f"dockerlab.course.lessons.lesson_{number}").OUTLINE
    assert isinstance(outline, Outline)  # noqa: S101  (a lesson module without an outline is a bug of ours)
    return outline
