"""Translates wildcards to regular expressions, for COPY sources and `.dockerignore` files alike."""

from __future__ import annotations

import re

__all__ = ["has_wildcards", "segment_regex"]

WILDCARD = re.compile(r"[*?\[\\]")


def has_wildcards(path: str) -> bool:
    """Return whether a path is a pattern and not a plain name."""
    return WILDCARD.search(path) is not None


def segment_regex(segment: str) -> str:
    """Return the regular expression for one segment of a path, with the wildcards of Go's filepath.Match."""
    regex, place = "", 0
    while place < len(segment):
        character = segment[place]
        place += 1
        if character == "*":
            # Several stars mean the same as one, and one group of characters is much faster to match.
            while segment[place : place + 1] == "*":
                place += 1
            regex += "[^/]*"
        elif character == "?":
            regex += "[^/]"
        elif character == "\\" and place < len(segment):
            regex += re.escape(segment[place])
            place += 1
        elif character == "[" and "]" in segment[place:]:
            # A closing bracket right after the opening one belongs to the set, if the set is closed later.
            end = segment.index("]", place + 1) if "]" in segment[place + 1 :] else segment.index("]", place)
            regex += f"[{segment[place:end]}]"
            place = end + 1
        else:
            regex += re.escape(character)
    return regex
