"""Parses a Dockerfile: lines become instructions, and instructions become stages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images.instructions import (
    CHANGE_KEYWORDS,
    Instruction,
    apply_instruction,
    name_value_pairs,
    parse_instruction,
)

__all__ = ["Dockerfile", "Stage", "parse"]

KEYWORDS = (*CHANGE_KEYWORDS, "ADD", "ARG", "COPY", "FROM", "MAINTAINER", "RUN", "SHELL")
DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(\S.*)")
HEREDOC = re.compile(r"<<-?\s*['\"]?[A-Za-z_]\w*")
STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
SUGGESTION_DISTANCE = 3  #: a keyword is suggested for an unknown one if fewer letters than this differ
FLAGS = {
    "ADD": {"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude"},
    "COPY": {"from", "chown", "chmod", "link", "parents", "exclude"},
    "FROM": {"platform"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
    "RUN": {"mount", "network", "security"},
}
#: The flags that only BuildKit implements.
BUILDKIT_FLAGS = {"chmod", "link", "keep-git-dir", "checksum", "exclude", "parents", "mount", "network", "security"}


@dataclass(slots=True)
class Stage:
    """One FROM and the instructions that follow it."""

    base: str
    name: str
    source: Instruction  #: the FROM itself
    steps: list[Instruction] = field(default_factory=list)


@dataclass(slots=True)
class Dockerfile:
    """A whole file: the ARGs before the first FROM, and the stages."""

    arguments: list[Instruction]
    stages: list[Stage]
    escape: str

    def stages_until(self, target: str) -> list[Stage]:
        """Return the stages up to the target stage, or all without a target. Raises BadParameter."""
        if not target:
            return self.stages
        for number, stage in enumerate(self.stages):
            if stage.name == target.lower() or str(number) == target:
                return self.stages[: number + 1]
        raise BadParameter(f'target stage "{target}" could not be found')


def parse(text: str, name: str = "Dockerfile") -> Dockerfile:
    """Parse the text of a Dockerfile. Raises BadParameter with Docker's message."""
    text = text.removeprefix("\ufeff")
    escape = _escape_character(text.splitlines())
    dockerfile = Dockerfile([], [], escape)
    for number, line in _join_lines(text.splitlines(), escape):
        instruction = parse_instruction(line, number)
        _check(instruction)
        if instruction.keyword == "FROM":
            dockerfile.stages.append(_stage(instruction))
        elif dockerfile.stages:
            dockerfile.stages[-1].steps.append(instruction)
        elif instruction.keyword == "ARG":
            dockerfile.arguments.append(instruction)
        else:
            raise _parse_error(number, "no build stage in current context")
    if not dockerfile.stages and not dockerfile.arguments:
        raise BadParameter(f"the Dockerfile ({name}) cannot be empty")
    if not dockerfile.stages:
        raise BadParameter("no build stage in current context")
    return dockerfile


def _parse_error(line: int, message: str) -> BadParameter:
    return BadParameter(f"dockerfile parse error on line {line}: {message}")


def _escape_character(lines: list[str]) -> str:
    """Return the escape character that the directives in the first comments set. Raises BadParameter."""
    escape = "\\"
    for line in lines:
        directive = DIRECTIVE.fullmatch(line.strip())
        if not directive:
            break
        if directive[1].lower() == "escape":
            if directive[2] not in ("\\", "`"):
                raise BadParameter(f"invalid escape token '{directive[2]}' does not match ` or \\")
            escape = directive[2]
    return escape


def _join_lines(lines: list[str], escape: str) -> list[tuple[int, str]]:
    """Join continuation lines; return each instruction with its first line number.

    Comments and empty lines between continuation lines don't end an instruction.
    """
    instructions: list[tuple[int, str]] = []
    joined, first_line = "", 0
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if not joined:
            first_line = number
        if line.rstrip().endswith(escape):
            joined += line.rstrip()[:-1]
        else:
            instructions.append((first_line, (joined + line).strip()))
            joined = ""
    if joined.strip():
        instructions.append((first_line, joined.strip()))
    return instructions


def _check(instruction: Instruction) -> None:
    keyword, line = instruction.keyword, instruction.line
    if keyword not in KEYWORDS:
        nearest = _nearest_keyword(keyword)
        suggestion = nearest if instruction.keyword_as_written.isupper() else nearest.lower()
        hint = f" (did you mean {suggestion}?)" if nearest else ""
        raise _parse_error(line, f"unknown instruction: {instruction.keyword_as_written}{hint}")
    for flag in instruction.flags:
        if flag not in FLAGS.get(keyword, ()):
            raise _parse_error(line, f"unknown flag: --{flag}")
        if flag in BUILDKIT_FLAGS:
            raise BadParameter(
                f"the --{flag} option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to "
                "build images with BuildKit enabled"
            )
    if keyword in ("RUN", "COPY", "ADD") and instruction.json_words is None and HEREDOC.search(instruction.body):
        raise _parse_error(line, "here-documents require BuildKit, which the practice engine does not have")
    _check_arguments(instruction)


def _check_arguments(instruction: Instruction) -> None:
    keyword, line = instruction.keyword, instruction.line
    if keyword in ("COPY", "ADD") and len(instruction.words()) < 2:  # noqa: PLR2004  (source and destination)
        raise _parse_error(
            line,
            f"{keyword} requires at least two arguments, but only one was provided. "
            "Destination could not be determined",
        )
    if not instruction.body and keyword not in ("CMD", "ENTRYPOINT", "FROM", "RUN"):
        count = "exactly" if keyword in ("MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR") else "at least"
        raise _parse_error(line, f"{keyword} requires {count} one argument")
    try:
        if keyword in ("ENV", "LABEL"):
            name_value_pairs(instruction)
    except BadParameter as fault:
        raise BadParameter(f"failed to parse Dockerfile: {fault}") from None
    try:
        if keyword in ("HEALTHCHECK", "ONBUILD"):
            apply_instruction({}, instruction)
    except BadParameter as fault:
        raise _parse_error(line, str(fault)) from None


def _stage(instruction: Instruction) -> Stage:
    words = instruction.body.split()
    if len(words) == 1:
        return Stage(words[0], "", instruction)
    if len(words) == 3 and words[1].lower() == "as":  # noqa: PLR2004  (FROM base AS name)
        name = words[2].lower()
        if not STAGE_NAME.fullmatch(name):
            raise _parse_error(
                instruction.line,
                f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols',
            )
        return Stage(words[0], name, instruction)
    raise _parse_error(instruction.line, "FROM requires either one or three arguments")


def _nearest_keyword(word: str) -> str:
    """Return the keyword that differs least from a word; an empty text if all differ too much."""
    similar = [keyword for keyword in KEYWORDS if abs(len(keyword) - len(word)) < SUGGESTION_DISTANCE]
    distances = {keyword: _edit_distance(word, keyword) for keyword in similar}
    nearest = min(distances, key=distances.__getitem__, default="")
    return nearest if distances.get(nearest, SUGGESTION_DISTANCE) < SUGGESTION_DISTANCE else ""


def _edit_distance(one: str, other: str) -> int:
    """Return the Levenshtein distance between two words."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, other_letter in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (letter != other_letter))
    return row[-1]
