"""The state of a pull, a push, a build or a load: records in, bars and text out. Pure; it displays nothing."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

from dockerlab.errors import printable

__all__ = ["Bar", "ProgressState", "format_size"]

KIB, MIB = 1 << 10, 1 << 20
#: How many of the latest lines are kept, how many characters of a line are shown, and how many characters are kept of
#: a line that has not ended yet.
MAX_LINES, MAX_LINE_LENGTH, MAX_OPEN_LENGTH = 20, 300, 4000
#: The most bars to show, and the most characters of a name. Most images have about ten layers, and none more than 127.
MAX_BARS, MAX_NAME_LENGTH = 12, 40
#: Larger numbers of bytes are ignored.
TOO_LARGE = 1 << 63
STEP = re.compile(r"(?:\[\d+/\d+\] )?step (\d{1,6})/(\d{1,6})\s?:", re.IGNORECASE)
LAYER = re.compile(r"[0-9a-f]{12}\b")
DONE = re.compile(r"(pull complete|already exists|layer already exists|pushed|mounted from|loaded)\b", re.IGNORECASE)
COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True, slots=True)
class Bar:
    """The progress of one layer: its status, the share that is done, the amount as text, and whether it is finished."""

    name: str
    status: str
    share: float = 0.0
    amount: str = ""
    done: bool = False

    @property
    def words(self) -> str:
        """The status and the amount as text."""
        return f"{self.status}, {self.amount}" if self.amount and not self.done else self.status


class ProgressState:
    """The progress so far. `add` takes any JSON value; a record of an unexpected shape is ignored."""

    def __init__(self) -> None:
        self.step = self.steps = 0
        self.error = ""
        self._layers: dict[str, Bar] = {}
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._open_line = ""

    def add(self, record: Any) -> list[str]:
        """Add a record. Return the lines that it completes, and one line per layer whose status it changes."""
        if not isinstance(record, dict):
            return []
        new_lines: list[str] = []
        stream, status, error = record.get("stream"), record.get("status"), record.get("error")
        if isinstance(stream, str):
            new_lines += self._add_text(stream)
        if isinstance(status, str):
            new_lines += self._add_status(record, status)
        detail = record.get("errorDetail")
        if error is None and isinstance(detail, dict):
            error = detail.get("message")
        if error is not None:
            self.error = _printable_line(str(error))
        return new_lines

    def end(self) -> list[str]:
        """Mark every layer and step as done, because engines report the end only of the whole request.

        Return the last line if it has no line end yet.
        """
        self._layers = {
            name: Bar(bar.name, bar.status, 1.0, bar.amount, done=True) for name, bar in self._layers.items()
        }
        self.step = self.steps
        return self._add_text("\n") if self._open_line else []

    # -- the view ----------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The latest lines, including the one that has not ended yet."""
        return [*self._lines, *([line] if (line := _printable_line(self._open_line)) else [])][-MAX_LINES:]

    @property
    def layers(self) -> list[Bar]:
        """All layers, in the order of their first record."""
        return list(self._layers.values())

    def bars(self, most: int = MAX_BARS) -> tuple[list[Bar], str]:
        """Return at most so many layers to show, unfinished ones first, and a text about the others."""
        layers = self.layers
        if len(layers) <= most:
            return layers, ""
        visible = sorted(range(len(layers)), key=lambda index: (layers[index].done, index))[:most]
        hidden = [bar for index, bar in enumerate(layers) if index not in visible]
        done = sum(bar.done for bar in hidden)
        return [layers[index] for index in sorted(visible)], f"and {len(hidden)} more, {done} of them done"

    @property
    def share(self) -> float:
        """The share of the whole that is done: of a build's steps, or of the layers."""
        if self.steps:
            return min(max(self.step - 1, 0) / self.steps, 1.0)
        return sum(bar.done for bar in self._layers.values()) / len(self._layers) if self._layers else 0.0

    @property
    def words(self) -> str:
        """The share as text; empty if there is nothing to count."""
        if self.steps:
            return f"step {self.step} of {self.steps}"
        if not self._layers:
            return ""
        done, total = sum(bar.done for bar in self._layers.values()), len(self._layers)
        return f"{done} of {total} layer{'s' if total > 1 else ''}"

    # -- one record --------------------------------------------------------------------------------------------

    def _add_text(self, text: str) -> list[str]:
        """Append text to the open line, and return the lines that are complete now."""
        *complete, rest = (self._open_line + text).split("\n")
        self._open_line = _after_carriage_returns(rest)[:MAX_OPEN_LENGTH]
        lines = [line for line in map(_printable_line, complete) if line.strip()]
        self._lines.extend(lines)
        for line in [*lines, _printable_line(self._open_line)]:
            match = STEP.match(line)
            if match and 0 < int(match[1]) <= int(match[2]):
                self.step, self.steps = int(match[1]), int(match[2])
        return lines

    def _add_status(self, record: dict[str, Any], status: str) -> list[str]:
        """Update the layer that a status is about; a status about anything else becomes a line."""
        detail, identity = record.get("progressDetail"), record.get("id")
        name = _printable_line(str(identity))[:MAX_NAME_LENGTH] if isinstance(identity, (str, int)) else ""
        text = _printable_line(status)
        if not name or not (isinstance(detail, dict) or name in self._layers or LAYER.match(name)):
            return self._add_text(f"{name}: {text}\n" if name else f"{text}\n")
        before = self._layers.get(name)
        self._layers[name] = _bar(name, text, detail if isinstance(detail, dict) else {}, before)
        return [] if before is not None and before.status == text else [f"{name}: {text}"]


def _bar(name: str, status: str, detail: dict[str, Any], before: Bar | None) -> Bar:
    current, total = _byte_count(detail.get("current")), _byte_count(detail.get("total"))
    share, amount = before.share if before else 0.0, ""
    if current and detail.get("units") == "s":
        amount = f"{current} s"
    elif current is not None and total:
        share, amount = min(current / total, 1.0), f"{format_size(current)} of {format_size(total)}"
    elif current:
        share, amount = current / (current + 4 * MIB), format_size(current)
    done = bool(DONE.match(status)) or (status.lower().startswith("loading") and share == 1.0)
    if done or status.lower().endswith("complete"):
        share = 1.0
    return Bar(name, status, share, amount, done)


def _byte_count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < TOO_LARGE else None


def _after_carriage_returns(text: str) -> str:
    """Return what a terminal shows of a line: each carriage return overwrites it, except one at the end."""
    body = text.rstrip("\r")
    return body.rpartition("\r")[2] + text[len(body) :][:1]


def _printable_line(text: str) -> str:
    """Return one short line, without colours and without characters that would move a cursor."""
    plain = COLOURS.sub("", _after_carriage_returns(text.rstrip())[:MAX_OPEN_LENGTH]).replace("\n", " ")
    line = printable(plain)
    return line if len(line) <= MAX_LINE_LENGTH else f"{line[: MAX_LINE_LENGTH - 1]}…"


def format_size(count: int) -> str:
    """Return a number of bytes as text, in the unit that fits."""
    if count < KIB:
        return f"{count} B"
    return f"{count / KIB:.0f} KiB" if count < MIB else f"{count / MIB:.1f} MiB"
