"""Go's regular expressions, in time that grows with the pattern's size times the text's length, as in Go.

Python's `re` tries one way after the other, so a pattern such as `(a+)+$` can occupy an engine for hours. A pattern
here becomes a program whose possible positions are all followed at once. Syntax, limits and error messages are those of
Go's regexp package; what `search` doesn't need, such as groups and greediness, is read and forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from dockerlab.engine.common.go_character_sets import ANY, NOT_NEWLINE, PERL, CharacterSet
from dockerlab.engine.common.go_regexp_parts import (
    InvalidPattern,
    error,
    read_escape,
    read_flags,
    read_repetition,
    read_set,
    read_unicode_class,
)

__all__ = ["InvalidPattern", "Pattern"]

MAX_REPETITIONS, MAX_DEPTH = 1000, 1000
#: Go allows more, but it is a hundred times as fast.
MAX_INSTRUCTIONS = 3000


class _Instruction(NamedTuple):
    """One step. `targets` are relative: where to go on, with a set only after one of its characters.

    `condition` is one of `^` and `$` (a line), `A` and `z` (the text), `b` and `B` (a word).
    """

    targets: tuple[int, ...] = (1,)
    characters: CharacterSet | None = None
    condition: str = ""


_Program = list[_Instruction]


class _Piece(NamedTuple):
    program: _Program
    repetitions: int = 1  # how often its innermost part is repeated, by counts inside each other


@dataclass(slots=True)
class _Group:
    """A group that is not closed yet, with the flags that hold again after it."""

    flags: frozenset[str]
    alternatives: list[list[_Piece]] = field(default_factory=lambda: [[]])

    def close(self) -> _Piece:
        """Return the program of the alternatives. Each but the last starts with a choice and ends with a jump."""
        programs = [[step for piece in pieces for step in piece.program] for pieces in self.alternatives]
        remaining = sum(len(program) + 2 for program in programs[:-1]) + len(programs[-1])
        joined: _Program = []
        for program in programs[:-1]:
            remaining -= len(program) + 2
            joined += [_Instruction((1, len(program) + 2)), *program, _Instruction((remaining + 1,))]
        repetitions = max((piece.repetitions for pieces in self.alternatives for piece in pieces), default=1)
        return _Piece(joined + programs[-1], repetitions)


class Pattern:
    """A compiled pattern. Raises InvalidPattern, with Go's message."""

    def __init__(self, text: str) -> None:
        self._program = _Parser(text).parse()

    def search(self, text: str) -> bool:
        """Return whether the pattern matches somewhere in a text."""
        after: set[int] = set()  # the positions after the characters so far
        for place in range(len(text) + 1):
            reached = self._closure(after | {0}, text, place)
            if len(self._program) in reached:
                return True
            after = set()
            if place < len(text):
                for position in reached:
                    step = self._program[position]
                    if step.characters is not None and text[place] in step.characters:
                        after.add(position + step.targets[0])
        return False

    def _closure(self, positions: set[int], text: str, place: int) -> set[int]:
        """Return the positions that can be reached without another character."""
        reached, waiting = set(positions), list(positions)
        while waiting:
            position = waiting.pop()
            if position == len(self._program):
                continue
            step = self._program[position]
            if step.characters is None and (not step.condition or _holds(step.condition, text, place)):
                new = {position + target for target in step.targets} - reached
                reached |= new
                waiting += new
        return reached


def _holds(condition: str, text: str, place: int) -> bool:
    before, after = text[max(place - 1, 0) : place], text[place : place + 1]
    if condition in "bB":
        is_boundary = (before != "" and before in PERL["w"]) is not (after != "" and after in PERL["w"])
        return is_boundary is (condition == "b")
    if condition in "A^":
        return not before or (condition == "^" and before == "\n")
    return not after or (condition == "$" and after == "\n")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.flags: frozenset[str] = frozenset()
        self.groups = [_Group(self.flags)]
        self.size = 0
        self.repetition_start = -1  # of the repetition right before this place, which nothing may repeat again

    def parse(self) -> _Program:
        while self.place < len(self.text):
            start, character = self.place, self.text[self.place]
            count = read_repetition(self.text, start)
            if count is not None:
                self._repeat(start, *count)
                continue
            self.repetition_start = -1
            self.place += 1
            if character == "(":
                self._open_group(start)
            elif character == ")":
                self._close_group()
            elif character == "|":
                self.groups[-1].alternatives.append([])
            elif character == "[":
                characters, self.place = read_set(self.text, start)
                self._add_set(characters)
            elif character == "\\":
                self._escape(start)
            elif character in "^$":
                of_text = "A" if character == "^" else "z"
                self._add(_Instruction(condition=character if "m" in self.flags else of_text))
            elif character == ".":
                self._add(_Instruction(characters=ANY if "s" in self.flags else NOT_NEWLINE))
            else:
                self._add_character(character)
        if len(self.groups) > 1:
            raise error("missing closing )", self.text)
        return self.groups[0].close().program

    def _add(self, step: _Instruction) -> None:
        self._grow(1)
        self.groups[-1].alternatives[-1].append(_Piece([step]))

    def _add_character(self, character: str) -> None:
        self._add_set(CharacterSet([(ord(character), ord(character))]))

    def _add_set(self, characters: CharacterSet) -> None:
        if "i" in self.flags:
            characters = characters.without_case()
        self._add(_Instruction(characters=characters))

    def _grow(self, steps: int) -> None:
        self.size += steps
        if self.size > MAX_INSTRUCTIONS:
            raise error("expression too large", self.text)

    # -- groups ------------------------------------------------------------------------------------------------

    def _open_group(self, start: int) -> None:
        flags, opens_group = self.flags, True
        if self.text.startswith("?", self.place):
            flags, opens_group, self.place = read_flags(self.text, start, self.flags)
        if opens_group:
            if len(self.groups) >= MAX_DEPTH:
                raise error("expression nests too deeply", self.text)
            self.groups.append(_Group(self.flags))
        self.flags = flags

    def _close_group(self) -> None:
        if len(self.groups) == 1:
            raise error("unexpected )", self.text)
        group = self.groups.pop()
        self._grow(2 * len(group.alternatives) - 2)
        self.groups[-1].alternatives[-1].append(group.close())
        self.flags = group.flags

    # -- repetitions -------------------------------------------------------------------------------------------

    def _repeat(self, start: int, least: int, most: int | None, end: int) -> None:
        """Repeat the piece before this place. `most` is None without a limit, and `end` is behind the repetition."""
        is_counted = self.text[start] == "{"
        if is_counted and (least > MAX_REPETITIONS or (most is not None and (most > MAX_REPETITIONS or most < least))):
            raise error("invalid repeat count", self.text[start:end])
        end += self.text.startswith("?", end)
        if self.repetition_start >= 0:
            raise error("invalid nested repetition operator", self.text[self.repetition_start : end])
        pieces = self.groups[-1].alternatives[-1]
        if not pieces:
            raise error("missing argument to repetition operator", self.text[start:end])
        piece = pieces.pop()
        repetitions = piece.repetitions
        if is_counted and (least > 1 or most is None or most != 1):
            repetitions *= least if most is None else most
            if repetitions > MAX_REPETITIONS:
                raise error("invalid repeat count", self.text[start:end])
        pieces.append(_Piece(self._repeated(piece.program, least, most), repetitions))
        self.place, self.repetition_start = end, start

    def _repeated(self, program: _Program, least: int, most: int | None) -> _Program:
        size = len(program)
        if most is None:
            self._grow(size * max(least - 1, 0) + 2)
            if least:
                return [*program * least, _Instruction((-size, 1))]
            return [_Instruction((1, size + 2)), *program, _Instruction((-size - 1,))]
        self._grow(size * max(most - 1, 0) + most - least)
        optional = [step for remaining in range(most - least, 0, -1) for step in _option(program, remaining)]
        return program * least + optional

    # -- backslashes -------------------------------------------------------------------------------------------

    def _escape(self, start: int) -> None:
        letter = self.text[self.place : self.place + 1]
        if letter and letter in "AbBz":
            self.place += 1
            self._add(_Instruction(condition=letter))
        elif letter == "Q":
            quoted, _, _ = self.text[start + 2 :].partition("\\E")
            self.place = min(start + 4 + len(quoted), len(self.text))
            for character in quoted:
                self._add_character(character)
        elif letter and letter in "pP":
            characters, self.place = read_unicode_class(self.text, start)
            self._add_set(characters)
        elif letter in PERL:
            self.place += 1
            self._add_set(PERL[letter])
        else:
            character, self.place = read_escape(self.text, start)
            self._add_character(character)


def _option(program: _Program, remaining: int) -> _Program:
    """Return a program that may be left out, with the same programs behind it; `remaining` counts them all."""
    return [_Instruction((1, remaining * (len(program) + 1))), *program]
