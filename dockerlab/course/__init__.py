"""The course: lessons with checks, hints, solutions and quizzes. `dockerlab.lesson("01")` begins one."""

from __future__ import annotations

from dockerlab.course.engine_side import LessonError
from dockerlab.course.lesson import Lesson, lesson

__all__ = ["Lesson", "LessonError", "lesson"]
