"""The text of a build step in an image's history, word for word as Docker's classic builder writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dockerlab.engine.images.instructions import Instruction

__all__ = ["history_text"]

Record = dict[str, Any]


def history_text(instruction: Instruction, config: Record, pairs: dict[str, str]) -> str:
    """Return the text for an instruction that changed the configuration.

    As in Docker, all texts but that of WORKDIR start with a space. `pairs` are the names and values of an ENV or LABEL.
    """
    if instruction.keyword == "WORKDIR":
        return f"WORKDIR {config['WorkingDir']}"
    arguments = ARGUMENTS.get(instruction.keyword)
    return f" {instruction.keyword} {arguments(instruction, config, pairs) if arguments else instruction.body}"


def _go_list(words: list[str] | None) -> str:
    return "[" + " ".join(json.dumps(word, ensure_ascii=False) for word in words or []) + "]"


def _health_check(config: Record) -> str:
    check = config["Healthcheck"]
    names = ("Interval", "Timeout", "StartPeriod", "StartInterval")
    times = " ".join(json.dumps(_seconds(check.get(name, 0))) for name in names)
    return f"&{{{_go_list(check['Test'])} {times} '\\x{check.get('Retries', 0):02x}'}}"


def _assignments(pairs: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs.items())


def _expanded_body(instruction: Instruction) -> str:
    return instruction.expand(instruction.body)


def _ports(instruction: Instruction) -> list[str]:
    return [word if "/" in word else f"{word}/tcp" for word in map(instruction.expand, instruction.words())]


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 10**9:g}s"


#: How the arguments of an instruction are written; those of all others stay as they are in the Dockerfile.
ARGUMENTS: dict[str, Callable[[Instruction, Record, dict[str, str]], str]] = {
    "CMD": lambda instruction, config, pairs: _go_list(config["Cmd"]),
    "ENTRYPOINT": lambda instruction, config, pairs: _go_list(config["Entrypoint"]),
    "ENV": lambda instruction, config, pairs: _assignments(pairs),
    "LABEL": lambda instruction, config, pairs: _assignments(pairs),
    "EXPOSE": lambda instruction, config, pairs: " ".join(sorted(_ports(instruction))),
    "VOLUME": lambda instruction, config, pairs: f"[{' '.join(map(instruction.expand, instruction.words()))}]",
    "SHELL": lambda instruction, config, pairs: f"[{' '.join(config['Shell'])}]",
    "HEALTHCHECK": lambda instruction, config, pairs: _health_check(config),
    "USER": lambda instruction, config, pairs: _expanded_body(instruction),
    "STOPSIGNAL": lambda instruction, config, pairs: _expanded_body(instruction),
}
