"""A quiz question: radio buttons in a notebook, and the same words as text elsewhere."""

from __future__ import annotations

from typing import Any

import ipywidgets

from dockerlab.course.cards import Card, text_to_html
from dockerlab.course.outline import Question
from dockerlab.widgets.box import Box


class Quiz(Box):
    """One question with its choices. `answer("b")` answers it, and so does a click on a button."""

    def __init__(self, number: int, question: Question) -> None:
        self.number = number
        self.question = question
        labels = [(f"{letter}. {choice.text.replace('`', '')}", letter) for letter, choice in self._choices()]
        self.buttons = ipywidgets.RadioButtons(
            options=labels, value=None, layout=ipywidgets.Layout(width="max-content", max_width="100%")
        )
        self.reply = ipywidgets.HTML()
        head = ipywidgets.HTML(f"<strong>{text_to_html(self._head())}</strong>")
        super().__init__([head, self.buttons, self.reply])
        self.buttons.observe(self._chosen, names="value")

    def answer(self, letter: str) -> Card:
        """Answer with a letter, and return a card that says whether the answer is right and why."""
        key = letter.strip().lower()[:1]
        choice = dict(self._choices()).get(key)
        if choice is None:
            return Card("No such choice", f"the choices are {', '.join(self.question.letters)}.")
        word = "Right" if key == self.question.right else "Not quite"
        return Card(f"{word}, {key}", choice.why)

    def __repr__(self) -> str:
        lines = [self._head(), *(f"  {letter}. {choice.text}" for letter, choice in self._choices())]
        return "\n".join([*lines, f'Answer with lesson.quiz({self.number}).answer("…")'])

    def page(self) -> str:
        """Return the question and its choices as HTML, for pages without widgets."""
        lines = "".join(f"<br>{letter}. {text_to_html(choice.text)}" for letter, choice in self._choices())
        return f"<p><strong>{text_to_html(self._head())}</strong>{lines}</p>"

    def _head(self) -> str:
        return f"Question {self.number}: {self.question.text}"

    def _choices(self) -> list[tuple[str, Any]]:
        return list(zip(self.question.letters, self.question.choices, strict=True))

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self.reply.value = self.answer(change["new"])._repr_html_()
