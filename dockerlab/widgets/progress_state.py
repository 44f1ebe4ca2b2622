"""What a pull, a push, a build or a load tells: records in, bars and words out. Pure; it shows nothing."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

from dockerlab.errors import printable

__all__ = ["Bar", "Told", "size"]

KIB, MIB = 1 << 10, 1 << 20
#: The latest lines that are kept, how much of one is shown, and how much of one that goes on without an end is kept.
LINES, LONGEST, LONGEST_OPEN = 20, 300, 4000
#: How many bars are shown, and how much of a name. An image has some ten layers; 127 are the most.
BARS, LONGEST_NAME = 12, 40
LARGEST = 1 << 63
STEP = re.compile(r"(?:\[\d+/\d+\] )?step (\d{1,6})/(\d{1,6})\s?:", re.IGNORECASE)
LAYER = re.compile(r"[0-9a-f]{12}\b")
DONE = re.compile(r"(pull complete|already exists|layer already exists|pushed|mounted from|loaded)\b", re.IGNORECASE)
COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True, slots=True)
class Bar:
    """A layer: what is done with it, which part of that is over, and whether nothing more is to be done."""

    name: str
    status: str
    share: float = 0.0
    amount: str = ""
    done: bool = False

    @property
    def words(self) -> str:
        """What is done with it, and how far."""
        return f"{self.status}, {self.amount}" if self.amount and not self.done else self.status


class Told:
    """What was told so far. `take` takes a record; whatever JSON it is, it does no harm."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.step = self.steps = 0
        self.error = ""
        self._layers: dict[str, Bar] = {}
        self._lines: deque[str] = deque(maxlen=LINES)
        self._open = ""

    def take(self, record: Any) -> list[str]:
        """Take a record; gives the lines that it brings to an end, and layers whose status it changes, as words."""
        if not isinstance(record, dict):
            return []
        new: list[str] = []
        stream, status, error = record.get("stream"), record.get("status"), record.get("error")
        if isinstance(stream, str):
            new += self._said(stream)
        if isinstance(status, str):
            new += self._status(record, status)
        detail = record.get("errorDetail")
        if error is None and isinstance(detail, dict):
            error = detail.get("message")
        if error is not None:
            self.error = _line(str(error))
        return new

    def end(self) -> list[str]:
        """Take all that was begun for done, as an engine says so of the whole only; gives the line that was open."""
        self._layers = {
            name: Bar(one.name, one.status, 1.0, one.amount, done=True) for name, one in self._layers.items()
        }
        self.step = self.steps
        return self._said("\n") if self._open else []

    # -- what is to be seen ------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The latest lines, the one that is being written among them."""
        return [*self._lines, *([written] if (written := _line(self._open)) else [])][-LINES:]

    @property
    def layers(self) -> list[Bar]:
        """All layers, in the order in which they were first spoken of."""
        return list(self._layers.values())

    def bars(self, most: int = BARS) -> tuple[list[Bar], str]:
        """Give the layers to show, those in work before those that are done; and what is left out, as words."""
        layers = self.layers
        if len(layers) <= most:
            return layers, ""
        kept = sorted(range(len(layers)), key=lambda place: (layers[place].done, place))[:most]
        left = [one for place, one in enumerate(layers) if place not in kept]
        done = sum(one.done for one in left)
        return [layers[place] for place in sorted(kept)], f"and {len(left)} more, {done} of them done"

    @property
    def share(self) -> float:
        """The part of the whole that is done: of a build's steps, or of the layers."""
        if self.steps:
            return min(max(self.step - 1, 0) / self.steps, 1.0)
        return sum(one.done for one in self._layers.values()) / len(self._layers) if self._layers else 0.0

    @property
    def words(self) -> str:
        """The same as words; empty if nothing can be counted."""
        if self.steps:
            return f"step {self.step} of {self.steps}"
        if not self._layers:
            return ""
        done, of = sum(one.done for one in self._layers.values()), len(self._layers)
        return f"{done} of {of} layer{'s' if of > 1 else ''}"

    # -- one record --------------------------------------------------------------------------------------------

    def _said(self, text: str) -> list[str]:
        """Put a piece of text behind what stands there, and give the lines that are whole now."""
        *whole, rest = (self._open + text).split("\n")
        self._open = _overwritten(rest)[:LONGEST_OPEN]
        lines = [line for line in map(_line, whole) if line.strip()]
        self._lines.extend(lines)
        for line in [*lines, _line(self._open)]:
            found = STEP.match(line)
            if found and 0 < int(found[1]) <= int(found[2]):
                self.step, self.steps = int(found[1]), int(found[2])
        return lines

    def _status(self, record: dict[str, Any], status: str) -> list[str]:
        """Note what is done with a layer; what is told of anything else is a line."""
        detail, identity = record.get("progressDetail"), record.get("id")
        name = _line(str(identity))[:LONGEST_NAME] if isinstance(identity, (str, int)) else ""
        told = _line(status)
        if not name or not (isinstance(detail, dict) or name in self._layers or LAYER.match(name)):
            return self._said(f"{name}: {told}\n" if name else f"{told}\n")
        before = self._layers.get(name)
        self._layers[name] = _bar(name, told, detail if isinstance(detail, dict) else {}, before)
        return [] if before is not None and before.status == told else [f"{name}: {told}"]


def _bar(name: str, status: str, detail: dict[str, Any], before: Bar | None) -> Bar:
    current, total = _number(detail.get("current")), _number(detail.get("total"))
    share, amount = before.share if before else 0.0, ""
    if current and detail.get("units") == "s":
        amount = f"{current} s"
    elif current is not None and total:
        share, amount = min(current / total, 1.0), f"{size(current)} of {size(total)}"
    elif current:
        share, amount = current / (current + 4 * MIB), size(current)
    done = bool(DONE.match(status)) or (status.lower().startswith("loading") and share == 1.0)
    if done or status.lower().endswith("complete"):
        share = 1.0
    return Bar(name, status, share, amount, done)


def _number(value: Any) -> int | None:
    """Give a number of bytes; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST else None


def _overwritten(text: str) -> str:
    """Give what is left of a line in which each carriage return begins anew; one at its end has done nothing yet."""
    written = text.rstrip("\r")
    return written.rpartition("\r")[2] + text[len(written) :][:1]


def _line(text: str) -> str:
    """Give one line as text to be seen: without colours, and without what would move a cursor."""
    seen = printable(COLOURS.sub("", _overwritten(text.rstrip())[:LONGEST_OPEN]).replace("\n", " "))
    return seen if len(seen) <= LONGEST else f"{seen[: LONGEST - 1]}…"


def size(count: int) -> str:
    """Give a number of bytes in the unit that fits."""
    if count < KIB:
        return f"{count} B"
    return f"{count / KIB:.0f} KiB" if count < MIB else f"{count / MIB:.1f} MiB"
