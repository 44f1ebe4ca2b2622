"""Decides which files of a build context are left out: the patterns of `.dockerignore`."""

from __future__ import annotations

import re

from dockerlab.engine.build.patterns import path_regex

__all__ = ["IgnoreRules"]


class IgnoreRules:
    """The patterns of one `.dockerignore`; the last one that matches decides, and `!` includes a path again."""

    def __init__(self, text: str) -> None:
        self.rules: list[tuple[bool, re.Pattern[str]]] = []
        for line in text.removeprefix("\ufeff").splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            includes = pattern.startswith("!")
            segments = [part for part in pattern.removeprefix("!").strip().split("/") if part not in ("", ".")]
            if segments:
                self.rules.append((includes, re.compile(path_regex(segments), re.DOTALL)))

    def excludes(self, path: str) -> bool:
        """Return whether a path (`a/b`, without a slash in front) is left out of the context."""
        excluded = False
        for includes, pattern in self.rules:
            if excluded == includes and pattern.fullmatch(path):
                excluded = not includes
        return excluded
