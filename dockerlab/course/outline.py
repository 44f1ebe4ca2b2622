"""The outline of a lesson, which each `lessons/lesson_NN.py` declares. It is pure data and uses no engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dockerlab.course.checks import ReadOnlyEngine, Verdict

#: A check inspects the engine, and the learner's answer if the exercise asks for one.
Check = Callable[["ReadOnlyEngine", Any], "Verdict"]


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise.

    `solution` is exactly the code of the hidden solution cell, and its last line is the check.
    The first of the two `hints` says where to look, the second nearly gives the solution.
    """

    name: str
    task: str
    check: Check
    hints: tuple[str, str]
    solution: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One possible answer to a question, and the explanation that a learner who chooses it gets."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the choices a, b, c…; `right` is the letter of the right choice."""

    text: str
    right: str
    choices: tuple[Choice, ...]

    @property
    def letters(self) -> str:
        """The letters of the choices, such as `abc` for three."""
        return "abcdefgh"[: len(self.choices)]


@dataclass(frozen=True, slots=True)
class Outline:
    """One lesson: its texts, exercises and questions.

    `setup` is the code that the notebook runs before the exercises: it creates the containers that they need.
    `names` are the names of all containers that the lesson and its solutions use.
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

    def exercise(self, name: str) -> Exercise | None:
        return next((exercise for exercise in self.exercises if exercise.name == name), None)
