"""What the check of an exercise works with: a read-only view of the engine, verdicts, and the learner's answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dockerlab.course.cards import Card

if TYPE_CHECKING:
    from dockerlab.course.lesson_engine import LessonEngine

Word = Literal["PASS", "FAIL", "EXCEPTION", "UNATTEMPTED"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """PASS, FAIL, EXCEPTION or UNATTEMPTED, with what the check observed on the engine."""

    word: Word
    observed: str
    exercise: str = ""

    @property
    def passed(self) -> bool:
        """Whether the exercise is solved."""
        return self.word == "PASS"

    def __str__(self) -> str:
        return str(self._card())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._card()._repr_html_()

    def _card(self) -> Card:
        return Card(f"{self.word} {self.exercise}".strip(), self.observed)


def passed(observed: str) -> Verdict:
    """Return the verdict that the exercise is solved."""
    return Verdict("PASS", observed)


def failed(observed: str) -> Verdict:
    """Return the verdict that the learner did something other than what the exercise asks for."""
    return Verdict("FAIL", observed)


def unattempted(observed: str) -> Verdict:
    """Return the verdict that the learner has not begun the exercise."""
    return Verdict("UNATTEMPTED", observed)


class Unattempted(Exception):
    """Raised in a check when there is nothing to judge yet."""


class Failed(Exception):
    """Raised in a check when the state of the engine can't be the solution."""


class ReadOnlyEngine:
    """What a check may do on the engine: inspect this lesson's containers, and change nothing."""

    def __init__(self, engine: LessonEngine) -> None:
        self._engine = engine

    def states(self) -> dict[str, str]:
        """Return the state of each container of the lesson by its name, the newest container first."""
        return {summary["Names"][0].lstrip("/"): summary["State"] for summary in self._engine.containers()}

    def has(self, name: str) -> bool:
        """Return whether the lesson has a container of that name."""
        return name in self.states()

    def inspect(self, name: str) -> dict[str, Any]:
        """Return the inspect document of one container of the lesson.

        Raises Unattempted if there is no such container, Failed if it does not have the lesson's labels.
        """
        container = self._engine.inspect(name)
        if container is None:
            raise Unattempted(f"the engine has no container named `{name}` yet.")
        if not self._engine.has_lesson_labels(container["Config"].get("Labels") or {}):
            raise Failed(
                f"there is a container `{name}`, but without this lesson's labels, so the lesson won't touch it. "
                f'Remove it with lab.container.delete("{name}", force=True), '
                "and create it again with labels=lesson.labels."
            )
        return container

    def state(self, name: str) -> dict[str, Any]:
        """Return the `State` object of one container of the lesson."""
        return dict(self.inspect(name)["State"])

    def log(self, name: str, **arguments: Any) -> list[str]:
        """Return the lines of a container's log, without their line ends."""
        self.inspect(name)
        return self._engine.log(name, **arguments)

    def members(self, name: str) -> dict[str, int]:
        """Return the path and size of each regular file in a container's export."""
        self.inspect(name)
        return self._engine.members(name)

    def request_json(self, operation: str, **arguments: Any) -> Any:
        """Send the request of a read-only operation and return the JSON of the response."""
        return self._engine.request_json(operation, **arguments)

    @property
    def api(self) -> str:
        """The API version that the lesson and the engine agreed on."""
        return self._engine.api


def require_answer(answer: Any) -> None:
    """Raise Unattempted if the learner's `answer` is still None or `...`."""
    if answer is None or answer is ...:
        raise Unattempted("`answer` is still empty.")


def names_in(answer: Any) -> list[str]:
    """Return the container names in a learner's answer, which may be a table, a list or one name."""
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
    """Return the log lines in a learner's answer, which may be a table, a list or one text."""
    if hasattr(answer, "columns"):
        column = next((name for name in ("text", "message", "line") if name in answer.columns), None)
        answer = list(answer[column]) if column else []
    if isinstance(answer, bytes):
        answer = answer.decode("utf-8", "replace")
    if isinstance(answer, str):
        answer = answer.splitlines()
    return [str(line).rstrip("\r\n") for line in answer]


def quoted(names: list[str]) -> str:
    """Return names as part of a sentence: `` `a`, `b` ``, or `nothing`."""
    return ", ".join(f"`{name}`" for name in names) or "nothing"
