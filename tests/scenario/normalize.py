"""Replaces the parts of a step's output that differ between runs: identifiers, timestamps, durations."""

from __future__ import annotations

import re

__all__ = ["normalize"]

#: Patterns and their replacements, in the order in which they are applied.
RULES = [
    # Identifiers.
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<id>"),
    # Timestamps and durations.
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<moment>"),
    (
        r"\b(Up|Exited \(\d+\)|Restarting \(\d+\)) (Less than a second|About a minute|\d+ (second|minute)s?)( ago)?",
        r"\1 <while>",
    ),
    (r"\b(Less than a second|About a minute|\d+ (second|minute)s?) ago", "<while> ago"),
    # The command's hint after an error, which differs between its versions.
    (r"\n! \n! (Run 'docker [a-z ]*--help' for more information|See 'docker [a-z ]*--help'\.?)", ""),
    (r"\n! (Run 'docker [a-z ]*--help' for more information|See 'docker [a-z ]*--help'\.?)", ""),
    # A prefix that only some runtimes add.
    (r"runc create failed: ", ""),
]


def normalize(text: str) -> str:
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return text.rstrip()
