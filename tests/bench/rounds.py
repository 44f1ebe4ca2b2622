"""Timings that can be compared: in each round, each subject does each task once, in random order.

A machine that is busy for a while slows down only the runs of that while. The median of the ratios within each round
changes much less by that than a ratio of two sums.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable, Mapping

__all__ = ["Times", "markdown_table", "median_ratio", "time_rounds"]

#: The seconds of each round, by task and then by subject.
Times = dict[str, dict[str, list[float]]]


def time_rounds(tasks: Mapping[str, Mapping[str, Callable[[], float]]], rounds: int, seed: int) -> Times:
    """Run each task on each subject once per round. A run returns its own seconds.

    One more round comes first, to warm up; its times are discarded.
    """
    order = random.Random(seed)
    times: Times = {task: {subject: [] for subject in subjects} for task, subjects in tasks.items()}
    for number in range(rounds + 1):
        runs = [(task, subject) for task, subjects in tasks.items() for subject in subjects]
        order.shuffle(runs)
        for task, subject in runs:
            seconds = tasks[task][subject]()
            if number:
                times[task][subject].append(seconds)
        if sys.stderr.isatty():
            print(f"round {number} of {rounds}", end="\r", file=sys.stderr, flush=True)
    return times


def median_ratio(times: Mapping[str, list[float]], subject: str, base: str) -> float:
    """Return the median, over the rounds, of a subject's seconds divided by those of the base."""
    return statistics.median(seconds / other for seconds, other in zip(times[subject], times[base], strict=True))


def markdown_table(rows: list[list[str]]) -> str:
    """Return a table in Markdown, whose columns are padded to one width. The first row contains the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = ["-" * width for width in widths]
    lines = [rows[0], rule, *rows[1:]]
    cells = (" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(f"| {line} |" for line in cells)
