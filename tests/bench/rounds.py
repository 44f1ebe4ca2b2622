"""Timings that can be compared: every round does all the work on all subjects once, shuffled; ratios are of one round.

A machine that is busy for a while slows what runs then; a ratio of two runs in one round, and the median of these over
the rounds, is moved by that far less than a ratio of two sums.
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
    """Run each task on each subject once a round, after one that is not counted; a run gives its own seconds."""
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
    """Give the median over the rounds of one subject's seconds for each second of another's."""
    return statistics.median(mine / other for mine, other in zip(times[subject], times[base], strict=True))


def table(rows: list[list[str]]) -> str:
    """Set rows, of which the first are the headings, as a table in Markdown with columns of one width."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = ["-" * width for width in widths]
    lines = [rows[0], rule, *rows[1:]]
    cells = (" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(f"| {line} |" for line in cells)
