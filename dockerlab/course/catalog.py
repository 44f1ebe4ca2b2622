"""The catalog of the course: every lesson and every analysis there is, in their order."""

from __future__ import annotations

from dataclasses import dataclass

from dockerlab.course.lessons import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_09,
    lesson_10,
)
from dockerlab.course.outline import Outline

#: The outline of each lesson, by its number.
LESSONS: dict[str, Outline] = {
    module.OUTLINE.number: module.OUTLINE
    for module in (
        lesson_00,
        lesson_01,
        lesson_02,
        lesson_03,
        lesson_04,
        lesson_05,
        lesson_06,
        lesson_07,
        lesson_08,
        lesson_09,
        lesson_10,
    )
}


@dataclass(frozen=True, slots=True)
class Analysis:
    """A notebook of the second kind: it reads recorded data, uses no engine, and has no exercises.

    `after` is the number of the lesson that it builds on.
    """

    number: str
    title: str
    notebook: str
    after: str
    minutes: int = 10


#: Each analysis, by its number.
ANALYSES: dict[str, Analysis] = {
    analysis.number: analysis
    for analysis in (
        Analysis("A1", "Investigate a log", "A1-log-investigation.ipynb", "05"),
        Analysis("A2", "Resources over time", "A2-resources-over-time.ipynb", "04"),
        Analysis("A3", "Where images' bytes are", "A3-where-bytes-are.ipynb", "06"),
        Analysis("A4", "A fleet", "A4-a-fleet.ipynb", "10"),
        Analysis("A5", "A security look at one container", "A5-a-security-look.ipynb", "03"),
    )
}


def notebooks() -> dict[str, str]:
    """Return the notebook of each lesson and of each analysis, by their numbers."""
    return {number: entry.notebook for number, entry in (LESSONS | ANALYSES).items()}


def next_notebook(number: str) -> str:
    """Return the notebook of the lesson after this one, or an empty text after the last lesson."""
    numbers = list(LESSONS)
    position = numbers.index(number) + 1
    return LESSONS[numbers[position]].notebook if position < len(numbers) else ""
