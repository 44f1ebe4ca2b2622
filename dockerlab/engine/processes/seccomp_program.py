"""Writes the programs that the kernel runs at each system call of a container: classic BPF, see seccomp(2).

A program finds the number of the call by bisection, since most calls are decided by their number alone. It then
compares arguments where a decision depends on them. Programs are written here, without libseccomp, because not every
machine has that library, and its older versions don't know the newer system calls.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["OPERATORS", "Architecture", "Condition", "Decision", "Operator", "Rule", "write_program"]

LOAD, AND, GOTO, RETURN = 0x20, 0x54, 0x05, 0x06
IF_EQUAL, IF_GREATER, IF_AT_LEAST = 0x15, 0x25, 0x35
#: The kernel's struct seccomp_data: the number of the call, the architecture, the address, six arguments of 64 bits.
NUMBER_OFFSET, ARCHITECTURE_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16
#: Conditional jumps skip no more instructions than that.
LONGEST_JUMP = 255
HALF = 0xFFFFFFFF
#: Operation, how many instructions to skip if the comparison holds and if it does not, and the constant.
Instruction = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of an argument. `operator` is one of OPERATORS; `second` is the value for `MASKED_EQ`."""

    index: int
    operator: str
    value: int
    second: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens if all conditions hold; `action` is one of the kernel's SECCOMP_RET values."""

    action: int
    conditions: tuple[Condition, ...] = ()


#: The rules for a call: the first one whose conditions hold counts, and the last one has no conditions.
Decision = tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Architecture:
    """The decisions for the programs of one architecture, by the number from which on they are valid."""

    audit: int
    decisions: dict[int, Decision]


def write_program(architectures: list[Architecture], other_architecture: int) -> bytes:
    """Return the program as the kernel takes it. `other_architecture` is the action for programs of others."""
    program: list[Instruction] = [(LOAD, 0, 0, ARCHITECTURE_OFFSET)]
    for architecture in architectures:
        decisions = _merged(architecture.decisions)
        body = [(LOAD, 0, 0, NUMBER_OFFSET), *_search(decisions)]
        program += [(IF_EQUAL, 1, 0, architecture.audit), (GOTO, 0, 0, len(body)), *body]
    program.append((RETURN, 0, 0, other_architecture))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _merged(decisions: dict[int, Decision]) -> list[tuple[int, Decision]]:
    """Sort decisions by number, and leave out each one that is the same as the one before."""
    merged: list[tuple[int, Decision]] = []
    for number, decision in sorted(decisions.items()):
        if not merged or merged[-1][1] != decision:
            merged.append((number, decision))
    return merged


def _search(decisions: list[tuple[int, Decision]]) -> list[Instruction]:
    """Return the instructions that find the decision for the number that has been loaded."""
    if len(decisions) == 1:
        return _decide(decisions[0][1])
    middle = len(decisions) // 2
    lower, upper = _search(decisions[:middle]), _search(decisions[middle:])
    begin = decisions[middle][0]
    if len(lower) <= LONGEST_JUMP:
        return [(IF_AT_LEAST, len(lower), 0, begin), *lower, *upper]
    return [(IF_AT_LEAST, 0, 1, begin), (GOTO, 0, 0, len(lower)), *lower, *upper]


def _decide(decision: Decision) -> list[Instruction]:
    """Return the instructions that compare arguments and end the program."""
    instructions: list[Instruction] = []
    for rule in decision:
        block: list[Instruction] = [(RETURN, 0, 0, rule.action)]
        for condition in reversed(rule.conditions):
            block = _compare(condition, len(block)) + block
        instructions += block
    return instructions


def _compare(condition: Condition, rest: int) -> list[Instruction]:
    """Return instructions that skip the `rest` instructions after them, unless the condition holds.

    An argument has 64 bits and BPF compares 32: first the upper half, then the lower one.
    """
    operator = OPERATORS[condition.operator]
    value, mask = condition.value, None
    if operator.is_masked:
        value, mask = condition.second, condition.value
    offset = ARGUMENTS_OFFSET + 8 * condition.index
    upper: list[Instruction] = [(LOAD, 0, 0, offset + 4)]
    lower: list[Instruction] = [(LOAD, 0, 0, offset)]
    if mask is not None:
        upper.append((AND, 0, 0, mask >> 32))
        lower.append((AND, 0, 0, mask & HALF))
    holds, fails = (rest, 0) if operator.is_negated else (0, rest)
    end = len(lower) + 1
    if operator.comparison != IF_EQUAL:
        upper.append((IF_GREATER, end + 1 + holds, 0, value >> 32))
    upper.append((IF_EQUAL, 0, end + fails, value >> 32))
    return [*upper, *lower, (operator.comparison, holds, fails, value & HALF)]


@dataclass(frozen=True, slots=True)
class Operator:
    """How BPF compares: the comparison of the lower halves, and whether the condition is its opposite."""

    comparison: int
    is_negated: bool = False
    is_masked: bool = False


OPERATORS = {
    "EQ": Operator(IF_EQUAL),
    "NE": Operator(IF_EQUAL, is_negated=True),
    "GT": Operator(IF_GREATER),
    "LE": Operator(IF_GREATER, is_negated=True),
    "GE": Operator(IF_AT_LEAST),
    "LT": Operator(IF_AT_LEAST, is_negated=True),
    "MASKED_EQ": Operator(IF_EQUAL, is_masked=True),
}
