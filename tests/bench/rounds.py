"""Comparable timings: each round runs every task on every subject once, in random order, and ratios are per round.

If the machine is busy for a while, only some runs are slower. The median of the ratios within each round changes much
less than a ratio of two sums.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable, Mapping

__all__ = ["Times", "play", "ratio", "table"]

#: The seconds of each round, by task and then by subject.
Times = dict[str, dict[str, list[float]]]


def play(tasks: Mapping[str, Mapping[str, Callable[[], float]]], rounds: int, seed: int) -> Times:
    """Run each task on each subject once per round, after one round that does not count. A run returns its seconds."""
    order = random.Random(seed)
    times: Times = {task: {subject: [] for subject in subjects} for task, subjects in tasks.items()}
    for turn in range(rounds + 1):
        runs = [(task, subject) for task, subjects in tasks.items() for subject in subjects]
        order.shuffle(runs)
        for task, subject in runs:
            seconds = tasks[task][subject]()
            if turn:
                times[task][subject].append(seconds)
        if sys.stderr.isatty():
            print(f"round {turn} of {rounds}", end="\r", file=sys.stderr, flush=True)
    return times


def ratio(times: Mapping[str, list[float]], subject: str, base: str) -> float:
    """Return the median of one subject's seconds divided by another's, over the rounds."""
    return statistics.median(mine / other for mine, other in zip(times[subject], times[base], strict=True))


def table(rows: list[list[str]]) -> str:
    """Return rows, the first of which are headings, as a Markdown table with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = ["-" * width for width in widths]
    lines = [rows[0], rule, *rows[1:]]
    cells = (" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(f"| {line} |" for line in cells)
