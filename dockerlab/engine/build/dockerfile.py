"""Reads a Dockerfile: lines become instructions, and instructions become stages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images.instructions import CHANGES, Instruction, change, pairs, read

__all__ = ["Dockerfile", "Stage", "parse"]

WORDS = (*CHANGES, "ADD", "ARG", "COPY", "FROM", "MAINTAINER", "RUN", "SHELL")
DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
HEREDOC = re.compile(r"<<-?\s*['\"]?[A-Za-z_]\w*")
STAGE = re.compile(r"[a-z][a-z0-9-_.]*")
NEAR = 3
FLAGS = {
    "ADD": {"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude"},
    "COPY": {"from", "chown", "chmod", "link", "parents", "exclude"},
    "FROM": {"platform"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
    "RUN": {"mount", "network", "security"},
}
#: What only BuildKit can do.
KITS = {"chmod", "link", "keep-git-dir", "checksum", "exclude", "parents", "mount", "network", "security"}


@dataclass(slots=True)
class Stage:
    """One FROM, with what follows."""

    base: str
    name: str
    source: Instruction
    steps: list[Instruction] = field(default_factory=list)


@dataclass(slots=True)
class Dockerfile:
    """A whole file: the ARGs before the first FROM, and the stages."""

    arguments: list[Instruction]
    stages: list[Stage]
    escape: str

    def until(self, target: str) -> list[Stage]:
        """Give the stages up to the one that is wanted. Raises BadParameter."""
        if not target:
            return self.stages
        for number, stage in enumerate(self.stages):
            if stage.name == target.lower() or str(number) == target:
                return self.stages[: number + 1]
        raise BadParameter(f'target stage "{target}" could not be found')


def parse(text: str, name: str = "Dockerfile") -> Dockerfile:
    """Read the text of a Dockerfile. Raises BadParameter in Docker's words."""
    escape, lines = _directives(text.removeprefix("\ufeff"))
    made = Dockerfile([], [], escape)
    for number, line in _joined(lines, escape):
        instruction = read(line, number)
        _check(instruction)
        if instruction.word == "FROM":
            made.stages.append(_stage(instruction))
        elif made.stages:
            made.stages[-1].steps.append(instruction)
        elif instruction.word == "ARG":
            made.arguments.append(instruction)
        else:
            raise _error(number, f"no build stage in current context ({instruction.word})".partition(" (")[0])
    if not made.stages and not made.arguments:
        raise BadParameter(f"the Dockerfile ({name}) cannot be empty")
    if not made.stages:
        raise BadParameter("no build stage in current context")
    return made


def _error(line: int, words: str) -> BadParameter:
    return BadParameter(f"dockerfile parse error on line {line}: {words}")


def _directives(text: str) -> tuple[str, list[str]]:
    """Read the comments at the beginning that say how to read the rest."""
    escape, lines = "\\", text.splitlines()
    for line in lines:
        found = DIRECTIVE.fullmatch(line.strip())
        if not found:
            break
        if found[1].lower() == "escape":
            if found[2] not in ("\\", "`"):
                raise BadParameter(f"invalid escape token '{found[2]}' does not match ` or \\")
            escape = found[2]
    return escape, lines


def _joined(lines: list[str], escape: str) -> list[tuple[int, str]]:
    """Join what goes on in the next line; comments and empty lines in between don't end it."""
    found: list[tuple[int, str]] = []
    whole, begin = "", 0
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if not whole:
            begin = number
        text = line.rstrip() if line.rstrip().endswith(escape) else line
        whole = whole or ""
        if text.endswith(escape):
            whole += text[:-1]
            continue
        found.append((begin, (whole + text).strip()))
        whole = ""
    if whole.strip():
        found.append((begin, whole.strip()))
    return found


def _check(instruction: Instruction) -> None:
    word, line = instruction.word, instruction.line
    if word not in WORDS:
        near = min(WORDS, key=lambda known: _distance(word, known))
        shown = near if instruction.typed.isupper() else near.lower()
        more = f" (did you mean {shown}?)" if _distance(word, near) < NEAR else ""
        raise _error(line, f"unknown instruction: {instruction.typed}{more}")
    for flag in instruction.flags:
        if flag not in FLAGS.get(word, ()):
            raise _error(line, f"unknown flag: --{flag}")
        if flag in KITS:
            raise BadParameter(
                f"the --{flag} option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to "
                "build images with BuildKit enabled"
            )
    if word in ("RUN", "COPY", "ADD") and instruction.listed is None and HEREDOC.search(instruction.rest):
        raise _error(line, "here-documents are BuildKit's; the classic builder does not know them")
    _check_arguments(instruction)


def _check_arguments(instruction: Instruction) -> None:
    word, line = instruction.word, instruction.line
    if word in ("COPY", "ADD") and len(instruction.words()) < 2:  # noqa: PLR2004  (source and destination)
        raise _error(
            line,
            f"{word} requires at least two arguments, but only one was provided. Destination could not be determined",
        )
    if not instruction.rest and word not in ("CMD", "ENTRYPOINT", "FROM", "RUN"):
        count = "exactly" if word in ("MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR") else "at least"
        raise _error(line, f"{word} requires {count} one argument")
    try:
        if word in ("ENV", "LABEL"):
            pairs(instruction)
    except BadParameter as fault:
        raise BadParameter(f"failed to parse Dockerfile: {fault}") from None
    try:
        if word in ("HEALTHCHECK", "ONBUILD"):
            change({}, instruction)
    except BadParameter as fault:
        raise _error(line, str(fault)) from None


def _stage(instruction: Instruction) -> Stage:
    words = instruction.rest.split()
    if len(words) == 1:
        return Stage(words[0], "", instruction)
    if len(words) == 3 and words[1].lower() == "as":  # noqa: PLR2004  (FROM base AS name)
        name = words[2].lower()
        if not STAGE.fullmatch(name):
            raise _error(
                instruction.line,
                f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols',
            )
        return Stage(words[0], name, instruction)
    raise _error(instruction.line, "FROM requires either one or three arguments")


def _distance(one: str, other: str) -> int:
    """Count the letters to change, add or take away from one word to the other."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, there in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != there))
    return row[-1]
