"""How the classic builder tells of its steps: to whoever waits, and in an image's history."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers import logs
from dockerlab.engine.images.instructions import Instruction
from dockerlab.engine.processes.shim.watch import HEADER

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container

__all__ = ["changed_text", "output", "own_names", "quoted_labels", "said"]

STDOUT = 1
Record = dict[str, Any]


def said(text: str) -> Record:
    """Give a line of what is told."""
    return {"stream": text}


async def output(container: Container) -> AsyncIterator[str]:
    """Give what a container prints, to its end; what it complains of is red."""
    container.log_path.touch()
    wanted = logs.Wanted(stdout=True, stderr=True, follow=True, frames=True)
    rest = b""
    async for data in logs.read(container.log_path, wanted, lambda: not container.state["Running"]):
        rest += data
        while len(rest) >= HEADER.size:
            kind, length = HEADER.unpack_from(rest)
            if len(rest) < HEADER.size + length:
                break
            text = rest[HEADER.size : HEADER.size + length].decode("utf-8", "replace")
            rest = rest[HEADER.size + length :]
            yield text if kind == STDOUT else f"\x1b[91m{text}\x1b[0m"


def quoted_labels(labels: dict[str, str]) -> str:
    """Write labels as a LABEL instruction has them."""
    return " ".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(labels.items()))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\\n")
    return f'"{escaped}"'


def own_names(predefined: tuple[str, ...]) -> set[str]:
    """Give the predefined build arguments, in both ways to write them."""
    return {*predefined, *(name.lower() for name in predefined)}


def _go_list(words: list[str] | None) -> str:
    return "[" + " ".join(json.dumps(word, ensure_ascii=False) for word in words or []) + "]"


def changed_text(instruction: Instruction, config: Record, named: dict[str, str]) -> str:
    """Give the words of a step that changed the configuration; most have one more space in front."""
    word = instruction.word
    if word == "WORKDIR":
        return f"WORKDIR {config['WorkingDir']}"
    tell = TOLD.get(word)
    return f" {word} {tell(instruction, config, named) if tell else instruction.rest}"


def _health_check(config: Record) -> str:
    check = config["Healthcheck"]
    names = ("Interval", "Timeout", "StartPeriod", "StartInterval")
    times = " ".join(json.dumps(_seconds(check.get(name, 0))) for name in names)
    return f"&{{{_go_list(check['Test'])} {times} '\\x{check.get('Retries', 0):02x}'}}"


def _pairs(named: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in named.items())


def _plain(instruction: Instruction) -> str:
    return instruction.plain(instruction.rest)


def _ports(instruction: Instruction) -> list[str]:
    return [word if "/" in word else f"{word}/tcp" for word in map(instruction.plain, instruction.words())]


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 10**9:g}s"


TOLD: dict[str, Callable[[Instruction, Record, dict[str, str]], str]] = {
    "CMD": lambda instruction, config, named: _go_list(config["Cmd"]),
    "ENTRYPOINT": lambda instruction, config, named: _go_list(config["Entrypoint"]),
    "ENV": lambda instruction, config, named: _pairs(named),
    "LABEL": lambda instruction, config, named: _pairs(named),
    "EXPOSE": lambda instruction, config, named: " ".join(sorted(_ports(instruction))),
    "VOLUME": lambda instruction, config, named: f"[{' '.join(map(instruction.plain, instruction.words()))}]",
    "SHELL": lambda instruction, config, named: f"[{' '.join(config['Shell'])}]",
    "HEALTHCHECK": lambda instruction, config, named: _health_check(config),
    "USER": lambda instruction, config, named: _plain(instruction),
    "STOPSIGNAL": lambda instruction, config, named: _plain(instruction),
}
