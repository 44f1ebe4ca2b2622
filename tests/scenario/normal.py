"""Replaces values that differ from run to run in the output of a step: ids, times, sizes, addresses."""

from __future__ import annotations

import re

__all__ = ["normal"]

#: Patterns and replacements, in the order in which they are applied.
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
    # The hint after an error differs between versions of the command.
    (r"\n! \n! (Run 'docker [a-z ]*--help' for more information|See 'docker [a-z ]*--help'\.?)", ""),
    (r"\n! (Run 'docker [a-z ]*--help' for more information|See 'docker [a-z ]*--help'\.?)", ""),
    # a prefix of the runtime
    (r"runc create failed: ", ""),
]


def normal(text: str) -> str:
    """Return the normalised output of a step."""
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return text.rstrip()
