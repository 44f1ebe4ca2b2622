"""Takes from a step's output what can't be the same twice: identifiers, times, sizes, addresses."""

from __future__ import annotations

import re

__all__ = ["normal"]

#: pattern, replacement; the first ones first
RULES = [
    # identifiers
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<id>"),
    # moments
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<moment>"),
    (
        r"\b(Up|Exited \(\d+\)|Restarting \(\d+\)) (Less than a second|About a minute|\d+ (second|minute)s?)( ago)?",
        r"\1 <while>",
    ),
    (r"\b(Less than a second|About a minute|\d+ (second|minute)s?) ago", "<while> ago"),
    # the command's own hint after an error differs between its versions
    (r"\n! \n! (Run 'docker [a-z ]*--help' for more information|See 'docker [a-z ]*--help'\.?)", ""),
    (r"\n! (Run 'docker [a-z ]*--help' for more information|See 'docker [a-z ]*--help'\.?)", ""),
    # the terminal's or runtime's own words
    (r"runc create failed: ", ""),
]


def normal(text: str) -> str:
    """Normalise what one step said."""
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return text.rstrip()
