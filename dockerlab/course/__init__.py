"""The course: lessons with checks, hints, solutions and quizzes. `dockerlab.lesson("01")` begins lesson 01."""

from __future__ import annotations

from dockerlab.course.lesson import Lesson, lesson
from dockerlab.course.lesson_engine import LessonError

__all__ = ["Lesson", "LessonError", "lesson"]
