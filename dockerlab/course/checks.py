"""Checks: what an exercise asks of the engine, and the verdict with what was observed there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dockerlab.course.cards import Card

if TYPE_CHECKING:
    from dockerlab.course.lesson_engine import Eyes

Word = Literal["PASS", "FAIL", "EXCEPTION", "UNATTEMPTED"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """PASS, FAIL, EXCEPTION or UNATTEMPTED, with what was seen on the engine."""

    word: Word
    observed: str
    exercise: str = ""

    @property
    def passed(self) -> bool:
        """Say whether the exercise is solved."""
        return self.word == "PASS"

    def __str__(self) -> str:
        """Give one line: the word, the exercise, what was observed."""
        return str(self._card())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._card()._repr_html_()

    def _card(self) -> Card:
        return Card(f"{self.word} {self.exercise}".strip(), self.observed)


def passed(observed: str) -> Verdict:
    """The exercise is solved."""
    return Verdict("PASS", observed)


def failed(observed: str) -> Verdict:
    """Something was done, and it is not yet what was asked."""
    return Verdict("FAIL", observed)


def unattempted(observed: str) -> Verdict:
    """Nothing was done yet."""
    return Verdict("UNATTEMPTED", observed)


class Unattempted(Exception):
    """Raised by a look when there is nothing to judge yet."""


class Failed(Exception):
    """Raised by a look when what is there cannot be the answer."""


class Look:
    """What a check may do: look at this lesson's own containers, and never change one."""

    def __init__(self, eyes: Eyes) -> None:
        """Look through the lesson's own connection, so that `lab.last` stays the learner's."""
        self._eyes = eyes

    def states(self) -> dict[str, str]:
        """Give name and state of every container of the lesson, the newest first."""
        return {record["Names"][0].lstrip("/"): record["State"] for record in self._eyes.own()}

    def has(self, name: str) -> bool:
        """Say whether the lesson has a container of that name."""
        return name in self.states()

    def inspect(self, name: str) -> dict[str, Any]:
        """Give what the engine says about one container of the lesson.

        A container that is not there is an exercise not begun; one without the lesson's labels is a mistake.
        """
        found = self._eyes.inspect(name)
        if found is None:
            raise Unattempted(f"the engine has no container named `{name}` yet.")
        if not self._eyes.is_own(found["Config"].get("Labels") or {}):
            raise Failed(
                f"`{name}` is there, but without this lesson's labels, so the lesson won't touch it. "
                f'Remove it with lab.container.delete("{name}", force=True), '
                "and make it again with labels=lesson.labels."
            )
        return found

    def state(self, name: str) -> dict[str, Any]:
        """Give the `State` object of one container of the lesson."""
        return dict(self.inspect(name)["State"])

    def log(self, name: str, **arguments: Any) -> list[str]:
        """Give the lines of a container's log, without their line ends."""
        self.inspect(name)
        return self._eyes.log(name, **arguments)

    def members(self, name: str) -> dict[str, int]:
        """Give path and size of the regular files in a container's export."""
        self.inspect(name)
        return self._eyes.members(name)

    def ask(self, operation: str, **arguments: Any) -> Any:
        """Give the JSON of any read-only operation's answer."""
        return self._eyes.ask(operation, **arguments)

    @property
    def api(self) -> str:
        """The API version that lesson and engine agreed on."""
        return self._eyes.api


def given(answer: Any) -> None:
    """Raise Unattempted for an exercise whose `answer` is still None or `...`."""
    if answer is None or answer is ...:
        raise Unattempted("`answer` is still empty.")


def names_in(answer: Any) -> list[str]:
    """Read container names out of what a learner gives: a table, a list, one name."""
    if hasattr(answer, "columns"):
        column = next((name for name in ("name", "names") if name in answer.columns), None)
        answer = list(answer[column]) if column else []
    if isinstance(answer, str):
        answer = answer.split(",")
    flat: list[str] = []
    for item in answer:
        flat += names_in(item) if not isinstance(item, str) else [part.strip().lstrip("/") for part in item.split(",")]
    return [name for name in flat if name]


def lines_in(answer: Any) -> list[str]:
    """Read log lines out of what a learner gives: a table, a list, one text."""
    if hasattr(answer, "columns"):
        column = next((name for name in ("text", "message", "line") if name in answer.columns), None)
        answer = list(answer[column]) if column else []
    if isinstance(answer, bytes):
        answer = answer.decode("utf-8", "replace")
    if isinstance(answer, str):
        answer = answer.splitlines()
    return [str(line).rstrip("\r\n") for line in answer]


def quoted(names: list[str]) -> str:
    """Write names for a sentence: `` `a`, `b` ``, or `nothing`."""
    return ", ".join(f"`{name}`" for name in names) or "nothing"
