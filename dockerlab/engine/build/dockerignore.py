"""Which files of a build's context are left out: the patterns of .dockerignore."""

from __future__ import annotations

import re

__all__ = ["Ignored"]


class Ignored:
    """The patterns of one file; later ones win, and `!` brings back."""

    def __init__(self, text: str) -> None:
        """Read the patterns."""
        self.rules: list[tuple[bool, re.Pattern[str]]] = []
        for line in text.removeprefix("\ufeff").splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            back = pattern.startswith("!")
            parts = [part for part in pattern.removeprefix("!").strip().split("/") if part not in ("", ".")]
            if parts:
                self.rules.append((back, re.compile(_regular(parts))))

    def __call__(self, path: str) -> bool:
        """Say whether a path (`a/b`, without a slash in front) is left out."""
        left_out = False
        for back, pattern in self.rules:
            if left_out == back and pattern.fullmatch(path):
                left_out = not back
        return left_out


def _regular(parts: list[str]) -> str:
    """Write a pattern as a regular expression: what is below a directory that fits, fits too."""
    out = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            out += ".*" if last else "(?:.*/)?"
            continue
        out += _part(part) + ("" if last else "/")
    return f"{out}(?:/.*)?"


def _part(text: str) -> str:
    out, place = "", 0
    while place < len(text):
        character = text[place]
        place += 1
        if character == "*":
            while text[place : place + 1] == "*":
                place += 1
            out += "[^/]*"
        elif character == "?":
            out += "[^/]"
        elif character == "\\" and place < len(text):
            out += re.escape(text[place])
            place += 1
        elif character == "[" and "]" in text[place:]:
            end = text.index("]", place + 1) if "]" in text[place + 1 :] else text.index("]", place)
            out += f"[{text[place:end]}]"
            place = end + 1
        else:
            out += re.escape(character)
    return out
