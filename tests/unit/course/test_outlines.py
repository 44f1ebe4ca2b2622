"""Every lesson's outline is complete and consistent."""

from __future__ import annotations

import ast

import pytest

from dockerlab.course import catalog
from dockerlab.course.outline import Outline

LESSONS = list(catalog.LESSONS.values())


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.number)
def lesson(request: pytest.FixtureRequest) -> Outline:
    return request.param


def test_number_and_notebook_agree(lesson: Outline) -> None:
    assert catalog.LESSONS[lesson.number] is lesson
    assert lesson.notebook.startswith(f"{lesson.number}-")


def test_two_exercises_and_two_or_three_questions(lesson: Outline) -> None:
    assert len(lesson.exercises) == 2
    assert len(lesson.questions) in (2, 3)


def test_names_of_exercises_are_unique(lesson: Outline) -> None:
    names = [exercise.name for exercise in lesson.exercises]
    assert len(set(names)) == len(names)


def test_a_solution_ends_with_its_check(lesson: Outline) -> None:
    for exercise in lesson.exercises:
        last = exercise.solution.splitlines()[-1]
        assert last in (f'lesson.check("{exercise.name}")', f'lesson.check("{exercise.name}", answer)')
        assert exercise.solution == exercise.solution.strip()
        assert len(exercise.solution.splitlines()) <= 8
        ast.parse(exercise.solution)


def test_setup_is_python(lesson: Outline) -> None:
    assert isinstance(ast.parse(lesson.setup), ast.Module)


def test_every_created_name_is_listed(lesson: Outline) -> None:
    """At its start, a lesson checks that its names are free, so it must list all of them."""
    created = set()
    for code in (lesson.setup, *(exercise.solution for exercise in lesson.exercises)):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                created |= _created_names(node)
    assert created <= set(lesson.names)


def _created_names(call: ast.Call) -> set[str]:
    assert isinstance(call.func, ast.Attribute)
    default_names = {"web": "web", "stubborn": "stubborn", "counter": "counter", "container": ""}
    names = {word.value.value for word in call.keywords if word.arg == "name" and isinstance(word.value, ast.Constant)}
    if call.func.attr == "create":
        return names
    if call.func.attr not in default_names or not isinstance(call.func.value, ast.Name):
        return set()
    first = [argument.value for argument in call.args[:1] if isinstance(argument, ast.Constant)]
    return set(first or [default_names[call.func.attr]])


def test_questions_have_one_right_answer_and_a_reason_for_each(lesson: Outline) -> None:
    for question in lesson.questions:
        assert question.right in question.letters
        assert len(question.choices) >= 3
        assert len({choice.text for choice in question.choices}) == len(question.choices)
        assert all(choice.why.endswith((".", "!", "?", "…")) for choice in question.choices), question.text


def test_the_right_answer_is_not_always_the_same_letter() -> None:
    letters = [question.right for lesson in LESSONS for question in lesson.questions]
    assert all(letters.count(letter) >= len(letters) // 5 for letter in "abc")


def test_each_lesson_leads_to_the_next() -> None:
    assert catalog.next_notebook("00") == "01-list-containers.ipynb"
    assert catalog.next_notebook("10") == ""
