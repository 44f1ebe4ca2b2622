"""Translates wildcards to regular expressions, for COPY sources and `.dockerignore` files alike.

The patterns come with the build context, so they may be hostile. The first match of what stands between two stars is
always a good one, so the expressions never go back to a star once its neighbour has matched (an atomic group). The
time to match a name therefore grows with its length, and not with a power of it.
"""

from __future__ import annotations

import re

__all__ = ["has_wildcards", "path_regex", "segment_regex"]

WILDCARD = re.compile(r"[*?\[\\]")
#: One character, or a range, in brackets. A backslash makes any character an ordinary one.
RANGE = re.compile(r"(\\.|[^\\\]])(?:-(\\.|[^\\\]]))?", re.DOTALL)


def has_wildcards(path: str) -> bool:
    """Return whether a path is a pattern and not a plain name."""
    return WILDCARD.search(path) is not None


def segment_regex(segment: str) -> str:
    """Return the regular expression for one segment of a path, with the wildcards of Go's filepath.Match."""
    pieces: list[list[str]] = [[]]  # what stands between the stars
    has_sets = True  # until a bracket isn't closed: then no later one is
    place = 0
    while place < len(segment):
        character = segment[place]
        place += 1
        if character == "*":
            pieces += [[]] if len(pieces) == 1 or pieces[-1] else []  # several stars mean the same as one
        elif character == "?":
            pieces[-1].append("[^/]")
        elif character == "\\" and place < len(segment):
            pieces[-1].append(re.escape(segment[place]))
            place += 1
        elif character == "[" and has_sets and (character_set := _character_set(segment, place)) is not None:
            regex, place = character_set
            pieces[-1].append(regex)
        else:
            has_sets &= character != "["
            pieces[-1].append(re.escape(character))
    first, *rest = map("".join, pieces)
    if not rest:
        return first
    return first + "".join(f"(?>[^/]*?{piece})" for piece in rest[:-1]) + f"[^/]*{rest[-1]}"


def _character_set(segment: str, place: int) -> tuple[str, int] | None:
    """Return the expression for the set whose bracket is before a place, and the place behind it.

    None means that the bracket isn't closed, so it stands for itself. An empty set matches nothing.
    """
    alternatives: list[str] = []
    is_negated = segment[place : place + 1] == "^"
    place += is_negated
    # A closing bracket right after the opening one belongs to the set, if the set is closed later.
    if segment[place : place + 1] == "]" and "]" in segment[place + 1 :]:
        alternatives.append(r"\]")
        place += 1
    while (match := RANGE.match(segment, place)) is not None:
        low, high = (each and each[-1] for each in match.groups())
        if high is None:
            alternatives.append(re.escape(low))
        elif low <= high:
            alternatives.append(f"{re.escape(low)}-{re.escape(high)}")
        place = match.end()
    if segment[place : place + 1] != "]":
        return None
    content = "".join(alternatives)
    if is_negated:
        return f"[^/{content}]", place + 1
    return f"[{content}]" if content else "(?!)", place + 1


def path_regex(segments: list[str]) -> str:
    """Return the regular expression for a whole pattern, which also matches everything below a directory.

    A segment `**` stands for any number of directories.
    """
    blocks: list[list[str]] = [[]]  # the segments between those with two stars
    for segment in segments:
        if segment == "**":
            blocks += [[]] if len(blocks) == 1 or blocks[-1] else []
        else:
            blocks[-1].append(segment_regex(segment))
    first, *rest = blocks
    regex = "/".join(first)
    for number, block in enumerate(rest):
        is_last = number == len(rest) - 1
        regex += "/" if number == 0 and first else ""
        if is_last:
            regex += f"(?:.*/)?{'/'.join(block)}" if block else ".*"
        else:
            regex += f"(?>(?:.*?/)??{'/'.join(block)}/)"
    return f"{regex}(?:/.*)?"
