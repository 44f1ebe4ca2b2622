"""Cards, verdicts and quiz: stable text, escaped HTML."""

from __future__ import annotations

import pytest

from dockerlab.course.cards import Card
from dockerlab.course.catalog import LESSONS
from dockerlab.course.checks import Unattempted, Verdict, lines_in, names_in, quoted, require_answer
from dockerlab.course.quiz import Quiz

HOSTILE = "<img src=x onerror=alert(1)> & 'you'"


def test_card_as_text() -> None:
    assert str(Card("Hint 1 for x", "look there")) == "Hint 1 for x: look there"
    assert repr(Card("Solution", code="a = 1\nb = 2")) == "Solution\na = 1\nb = 2"


def test_card_escapes_everything() -> None:
    html = Card(HOSTILE, HOSTILE, HOSTILE)._repr_html_()
    assert "<img" not in html
    assert html.count("&lt;img") == 3


def test_verdict_shows_result_exercise_and_observation() -> None:
    verdict = Verdict("FAIL", f"web is {HOSTILE}", "wake")
    assert str(verdict).startswith("FAIL wake: web is <img")
    assert "<img" not in verdict._repr_html_()
    assert "FAIL wake" in verdict._repr_html_()
    assert not verdict.passed
    assert Verdict("PASS", "").passed


@pytest.mark.parametrize("answer", [None, ...])
def test_an_empty_answer_is_unattempted(answer: object) -> None:
    with pytest.raises(Unattempted):
        require_answer(answer)


@pytest.mark.parametrize("answer", [0, ""])
def test_any_other_answer_is_an_attempt(answer: object) -> None:
    require_answer(answer)


@pytest.mark.parametrize("answer", ["web", "/web", ["web"], ("/web",), [["/web"]], {"web"}])
def test_names_in_many_forms(answer: object) -> None:
    assert names_in(answer) == ["web"]


def test_names_in_a_table() -> None:
    import pandas as pd

    assert names_in(pd.DataFrame({"names": ["web", "spare, extra"], "state": ["running", "created"]})) == [
        "web",
        "spare",
        "extra",
    ]
    assert names_in(pd.DataFrame({"state": ["running"]})) == []


@pytest.mark.parametrize("answer", ["a\nb\n", b"a\nb\n", ["a", "b"], ["a\r\n", "b\n"]])
def test_lines_in_many_forms(answer: object) -> None:
    assert lines_in(answer) == ["a", "b"]


def test_lines_in_a_table() -> None:
    import pandas as pd

    assert lines_in(pd.DataFrame({"stream": ["stdout", "stderr"], "text": ["a", "b"]})) == ["a", "b"]


def test_quoted() -> None:
    assert quoted(["a", "b"]) == "`a`, `b`"
    assert quoted([]) == "nothing"


def every_quiz() -> list[Quiz]:
    return [Quiz(n, question) for lesson in LESSONS.values() for n, question in enumerate(lesson.questions, 1)]


def test_quiz_explains_each_choice() -> None:
    for quiz in every_quiz():
        for letter, choice in zip(quiz.question.letters, quiz.question.choices, strict=True):
            card = quiz.answer(f" {letter.upper()} ")
            assert card.heading == (f"Right, {letter}" if letter == quiz.question.right else f"Not quite, {letter}")
            assert card.text == choice.why


def test_quiz_rejects_other_letters() -> None:
    assert every_quiz()[0].answer("z").heading == "No such choice"
    assert every_quiz()[0].answer("").heading == "No such choice"


def test_clicking_and_typing_give_the_same_reply() -> None:
    quiz = every_quiz()[0]
    quiz.buttons.value = "b"
    assert quiz.reply.value == quiz.answer("b")._repr_html_()


def test_quiz_is_text_without_widgets() -> None:
    quiz = every_quiz()[0]
    bundle = quiz._repr_mimebundle_()
    assert bundle["text/plain"] == repr(quiz)
    assert repr(quiz).splitlines()[0].startswith("Question 1: ")
    assert all(choice.text in repr(quiz) for choice in quiz.question.choices)
    assert bundle["text/html"].count("<br>") == len(quiz.question.choices)
    assert "application/vnd.jupyter.widget-view+json" in bundle
