"""A quiz question: radio buttons in a notebook, the same words as text elsewhere."""

from __future__ import annotations

from typing import Any

import ipywidgets

from dockerlab.course.cards import Card, marked
from dockerlab.course.outline import Question
from dockerlab.widgets.box import Box


class Quiz(Box):
    """One question with its choices. `answer("b")` answers it, and so does a click."""

    def __init__(self, number: int, question: Question) -> None:
        """Make the buttons; nothing is chosen yet."""
        self.number = number
        self.question = question
        labels = [(f"{letter}. {choice.text.replace('`', '')}", letter) for letter, choice in self._choices()]
        self.buttons = ipywidgets.RadioButtons(
            options=labels, value=None, layout=ipywidgets.Layout(width="max-content", max_width="100%")
        )
        self.reply = ipywidgets.HTML()
        head = ipywidgets.HTML(f"<strong>{marked(self._head())}</strong>")
        super().__init__([head, self.buttons, self.reply])
        self.buttons.observe(self._chosen, names="value")

    def answer(self, letter: str) -> Card:
        """Answer with a letter; says whether it is right, and why or why not."""
        key = letter.strip().lower()[:1]
        choice = dict(self._choices()).get(key)
        if choice is None:
            return Card("No such choice", f"the choices are {', '.join(self.question.letters)}.")
        word = "Right" if key == self.question.right else "Not quite"
        return Card(f"{word}, {key}", choice.why)

    def __repr__(self) -> str:
        """Give the question and its choices as text."""
        lines = [self._head(), *(f"  {letter}. {choice.text}" for letter, choice in self._choices())]
        return "\n".join([*lines, f'Answer with lesson.quiz({self.number}).answer("…")'])

    def page(self) -> str:
        """Give the question and its choices as HTML."""
        lines = "".join(f"<br>{letter}. {marked(choice.text)}" for letter, choice in self._choices())
        return f"<p><strong>{marked(self._head())}</strong>{lines}</p>"

    def _head(self) -> str:
        return f"Question {self.number}: {self.question.text}"

    def _choices(self) -> list[tuple[str, Any]]:
        return list(zip(self.question.letters, self.question.choices, strict=True))

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self.reply.value = self.answer(change["new"])._repr_html_()
