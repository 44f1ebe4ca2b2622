"""Reads the parts of Go's regular expressions that have a syntax of their own.

Each function takes the whole pattern and the place where the part begins, and returns the place behind it, too.
"""

from __future__ import annotations

import re

from dockerlab.engine.common.go_character_sets import PERL, POSIX, CharacterSet, category

__all__ = [
    "InvalidPattern",
    "error",
    "read_escape",
    "read_flags",
    "read_repetition",
    "read_set",
    "read_unicode_class",
]

COUNT = re.compile(r"\{(0|[1-9][0-9]*+)(?:(,)(0|[1-9][0-9]*+)?)?\}")
#: A number with more digits is too high anyway, so the others needn't be read.
COUNT_DIGITS = 5
SIMPLE_COUNTS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
NAMED_GROUP = re.compile(r"\(\?P?<(\w+)>", re.ASCII)
OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
HEXADECIMAL = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{0*+([0-9A-Fa-f]{1,6})\}|\{(0)+\})")
CONTROL = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
HIGHEST = 0x10FFFF


class InvalidPattern(ValueError):
    """A pattern breaks the rules of Go's regular expressions; the text is Go's message."""


def error(reason: str, fragment: str) -> InvalidPattern:
    return InvalidPattern(f"error parsing regexp: {reason}: `{fragment}`")


def read_repetition(text: str, start: int) -> tuple[int, int | None, int] | None:
    """Return the least and the highest number of `*`, `+`, `?` or `{2,5}`, or None at any other sign."""
    if text[start] in SIMPLE_COUNTS:
        return *SIMPLE_COUNTS[text[start]], start + 1
    match = COUNT.match(text, start) if text[start] == "{" else None
    if match is None:
        return None
    least = int(match[1][:COUNT_DIGITS])
    most = int(match[3][:COUNT_DIGITS]) if match[3] else None if match[2] else least
    return least, most, match.end()


def read_flags(text: str, start: int, flags: frozenset[str]) -> tuple[frozenset[str], bool, int]:
    """Return the flags after `(?...`, and whether this opens a group. Raises InvalidPattern."""
    if text.startswith(("(?P<", "(?<"), start):
        match = NAMED_GROUP.match(text, start)
        if match is None:
            end = text.find(">", start)
            raise error("invalid named capture", text[start : end + 1] if end >= 0 else text[start:])
        return flags, True, match.end()
    place, removes, has_flag = start + 2, False, False
    while place < len(text):
        character = text[place]
        place += 1
        if character in "imsU":
            flags = flags - {character} if removes else flags | {character}
            has_flag = True
        elif character == "-" and not removes:
            removes, has_flag = True, False
        elif character in ":)" and (has_flag or not removes):
            return flags, character == ":", place
        else:
            break
    raise error("invalid or unsupported Perl syntax", text[start:place])


def read_escape(text: str, start: int) -> tuple[str, int]:
    """Return the character that a backslash and what follows mean. Raises InvalidPattern."""
    letter = text[start + 1 : start + 2]
    if not letter:
        raise error("trailing backslash at end of expression", "")
    if letter in CONTROL:
        return CONTROL[letter], start + 2
    if match := OCTAL.match(text, start):
        return chr(int(match[1], 8)), match.end()
    if (match := HEXADECIMAL.match(text, start)) and (number := int(match[1] or match[2] or "0", 16)) <= HIGHEST:
        return chr(number), match.end()
    if letter.isascii() and not letter.isalnum():
        return letter, start + 2
    raise error("invalid escape sequence", text[start : start + 2])


def read_unicode_class(text: str, start: int) -> tuple[CharacterSet, int]:
    """Return the characters of `\\pL`, `\\p{Greek}` or `\\P{^Greek}`. Raises InvalidPattern."""
    name, end = text[start + 2 : start + 3], start + 3
    if name == "{":
        end = text.find("}", start) + 1 or len(text) + 1
        name = text[start + 3 : end - 1]
    is_negated = (text[start + 1] == "P") is not name.startswith("^")
    characters = category(name.removeprefix("^"))
    if characters is None or end > len(text):
        raise error("invalid character class range", text[start:end])
    return (characters.negated() if is_negated else characters), end


def read_set(text: str, start: int) -> tuple[CharacterSet, int]:
    """Return the characters of `[...]`. Raises InvalidPattern."""
    result = CharacterSet()
    place = start + 1
    if text.startswith("^", place):
        result.is_negated = True
        place += 1
    first = place
    while place == first or not text.startswith("]", place):
        special = _read_set_in_set(text, place)
        if special is not None:
            characters, place = special
            result.members.append(characters)
            continue
        low, end = _read_set_character(text, place, start)
        high = low
        if text.startswith("-", end) and end + 1 < len(text) and text[end + 1] != "]":
            high, end = _read_set_character(text, end + 1, start)
        if high < low:
            raise error("invalid character class range", text[place:end])
        result.ranges.append((ord(low), ord(high)))
        place = end
    return result, place + 1


def _read_set_in_set(text: str, place: int) -> tuple[CharacterSet, int] | None:
    """Return the characters of `[:alpha:]`, `\\d` or `\\pL`, or None for anything else. Raises InvalidPattern."""
    if text.startswith("[:", place) and (end := text.find(":]", place + 2)) >= 0:
        characters = POSIX.get(text[place + 2 : end])
        if characters is None:
            raise error("invalid character class range", text[place : end + 2])
        return characters, end + 2
    if text.startswith(("\\p", "\\P"), place):
        return read_unicode_class(text, place)
    if text.startswith("\\", place) and (letter := text[place + 1 : place + 2]) in PERL:
        return PERL[letter], place + 2
    return None


def _read_set_character(text: str, place: int, start: int) -> tuple[str, int]:
    if place >= len(text):
        raise error("missing closing ]", text[start:])
    if text[place] == "\\":
        return read_escape(text, place)
    return text[place], place + 1
