"""Dockerfile instructions: how a line is read, and what those that only change an image's configuration do to it.

Commit and import take them as `changes`; the builder takes all of them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dockerlab.engine.common import signals
from dockerlab.engine.faults import BadParameter

__all__ = ["CHANGES", "Instruction", "change", "changed", "duration", "pairs", "read", "unquoted"]

CHANGES = (
    *("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL"),
    *("ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
FLAG = re.compile(r"--([a-zA-Z][a-zA-Z0-9-]*)(?:=(\S*))?(?:\s+|$)")
PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}
HIGHEST_PORT = 65535
Record = dict[str, Any]


def unquoted(word: str) -> str:
    """Take the quotes away from a word, as a shell does."""
    try:
        return "".join(shlex.split(word, posix=True)) if any(c in word for c in "'\"\\") else word
    except ValueError:
        raise BadParameter(f"unexpected end of statement while looking for matching quote: {word}") from None


@dataclass(slots=True)
class Instruction:
    """One instruction: its word, its flags, and the rest of the line, with the list in it if that is JSON.

    `plain` gives what a word means: without quotes, and in a build with the values of variables.
    """

    word: str
    rest: str
    flags: dict[str, str] = field(default_factory=dict)
    listed: list[str] | None = None
    line: int = 0
    plain: Callable[[str], str] = unquoted
    typed: str = ""  #: the word as it was written
    keeps_command: bool = False  #: an ENTRYPOINT after a CMD of the same stage

    @property
    def original(self) -> str:
        """The instruction as it was written."""
        flags = "".join(f"--{name}={value} " for name, value in self.flags.items())
        return f"{self.typed or self.word} {flags}{self.rest}".rstrip()

    def words(self) -> list[str]:
        """Give the arguments: those of the list, or those between spaces."""
        return self.listed if self.listed is not None else _split(self.rest)


def read(text: str, line: int = 0) -> Instruction:
    """Read one whole instruction. Raises BadParameter."""
    word, _, rest = text.strip().partition(" ")
    if "\t" in word:
        word, _, more = word.partition("\t")
        rest = f"{more} {rest}"
    made, rest = Instruction(word.upper(), "", line=line, typed=word), rest.strip()
    if made.word in ("ADD", "COPY", "FROM", "HEALTHCHECK", "RUN"):
        while found := FLAG.match(rest):
            made.flags[found[1]] = found[2] if found[2] is not None else "true"
            rest = rest[found.end() :]
    made.rest = rest
    if rest.startswith("["):
        try:
            listed = json.loads(rest)
        except ValueError:
            listed = None
        if isinstance(listed, list) and all(isinstance(one, str) for one in listed):
            made.listed = listed
    return made


def _split(text: str) -> list[str]:
    """Take apart at spaces; quotes keep words together, and stay as they are for whoever looks at them later."""
    words, word, quote, escaped = [], "", "", False
    for character in text:
        if escaped:
            word, escaped = word + character, False
        elif character == "\\" and quote != "'":
            word, escaped = word + character, True
        elif quote:
            word += character
            quote = "" if character == quote else quote
        elif character in "'\"":
            word, quote = word + character, character
        elif character.isspace():
            words += [word] if word else []
            word = ""
        else:
            word += character
    return [*words, word] if word else words


def pairs(instruction: Instruction) -> dict[str, str]:
    """Read `NAME=value NAME=value`, or the older `NAME value`. Raises BadParameter."""
    words = _split(instruction.rest)
    if not words:
        raise BadParameter(f"{instruction.word} requires at least one argument")
    if "=" not in words[0]:
        if len(words) == 1:
            raise BadParameter(f"{instruction.word} must have two arguments")
        return {instruction.plain(words[0]): instruction.plain(instruction.rest.split(None, 1)[1])}
    made = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadParameter(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
        if not name:
            raise BadParameter(f"{instruction.word} names can not be blank")
        made[instruction.plain(name)] = instruction.plain(value)
    return made


def changed(config: Record, lines: list[str]) -> Record:
    """Give a configuration with some `changes` made to it. Raises BadParameter."""
    made = json.loads(json.dumps(config))
    for text in (line for lines_ in lines for line in lines_.splitlines()):
        if not text.strip():
            continue
        instruction = read(text)
        if instruction.word not in CHANGES:
            raise BadParameter(f"{instruction.word} is not a valid change command")
        change(made, instruction)
    return made  # type: ignore[no-any-return]


def change(config: Record, instruction: Instruction) -> None:
    """Make one change to a configuration. Raises BadParameter."""
    if not instruction.rest and instruction.word not in ("CMD", "ENTRYPOINT"):
        raise BadParameter(f"{instruction.word} requires at least one argument")
    DOES[instruction.word](config, instruction)


def _command(config: Record, instruction: Instruction) -> None:
    config["Cmd"] = _program(config, instruction)


def _entrypoint(config: Record, instruction: Instruction) -> None:
    config["Entrypoint"] = _program(config, instruction) or None
    if not instruction.keeps_command:
        config["Cmd"] = None


def _program(config: Record, instruction: Instruction) -> list[str]:
    if instruction.listed is not None:
        return instruction.listed
    return [*(config.get("Shell") or ["/bin/sh", "-c"]), instruction.rest] if instruction.rest else []


def _environment(config: Record, instruction: Instruction) -> None:
    for name, value in pairs(instruction).items():
        kept = list(config.get("Env") or [])
        places = [number for number, entry in enumerate(kept) if entry.partition("=")[0] == name]
        if places:
            kept[places[0]] = f"{name}={value}"
        else:
            kept.append(f"{name}={value}")
        config["Env"] = kept


def _label(config: Record, instruction: Instruction) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **pairs(instruction)}


def _expose(config: Record, instruction: Instruction) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in map(instruction.plain, instruction.words()):
        found = PORT.fullmatch(word)
        if not found or int(found[2] or found[1]) > HIGHEST_PORT:
            raise BadParameter(f"Invalid containerPort: {word}")
        for number in range(int(found[1]), int(found[2] or found[1]) + 1):
            ports[f"{number}/{(found[3] or 'tcp').lower()}"] = {}
    config["ExposedPorts"] = ports


def _user(config: Record, instruction: Instruction) -> None:
    config["User"] = instruction.plain(instruction.rest)


def _working_directory(config: Record, instruction: Instruction) -> None:
    place = instruction.plain(instruction.rest)
    before = config.get("WorkingDir") or "/"
    whole = place if place.startswith("/") else f"{before}/{place}"
    parts: list[str] = []
    for part in whole.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    config["WorkingDir"] = "/" + "/".join(parts)


def _volume(config: Record, instruction: Instruction) -> None:
    volumes = dict(config.get("Volumes") or {})
    for word in instruction.words():
        if not word.strip():
            raise BadParameter("VOLUME specified can not be an empty string")
        volumes[instruction.plain(word)] = {}
    config["Volumes"] = volumes


def _stop_signal(config: Record, instruction: Instruction) -> None:
    signal = instruction.plain(instruction.rest)
    if not signals.usable(signal):
        raise BadParameter(f"invalid signal: {signal}")
    config["StopSignal"] = signal


def _on_build(config: Record, instruction: Instruction) -> None:
    word = instruction.rest.split(None, 1)[0].upper()
    if word == "ONBUILD":
        raise BadParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if word in ("MAINTAINER", "FROM"):
        raise BadParameter(f"{word} isn't allowed as an ONBUILD trigger")
    config["OnBuild"] = [*(config.get("OnBuild") or []), instruction.rest]


def _shell(config: Record, instruction: Instruction) -> None:
    if instruction.listed is None:
        raise BadParameter("SHELL requires the arguments to be in JSON form")
    config["Shell"] = instruction.listed


def duration(text: str) -> int:
    """Read `1m30s` as nanoseconds. Raises BadParameter."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise BadParameter(f'time: invalid duration "{text}"')
    return sum(int(float(number) * UNITS[unit]) for number, unit in parts)


def _health_check(config: Record, instruction: Instruction) -> None:
    kind, _, _ = instruction.rest.partition(" ")
    if kind.upper() == "NONE":
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind.upper() != "CMD":
        raise BadParameter(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')
    command = read(instruction.rest)
    if not command.rest:
        raise BadParameter("Missing command after HEALTHCHECK CMD")
    listed = command.listed
    made: Record = {"Test": ["CMD-SHELL", command.rest] if listed is None else ["CMD", *listed]}
    names = {"interval": "Interval", "timeout": "Timeout", "start-period": "StartPeriod"}
    names["start-interval"] = "StartInterval"
    for flag, value in instruction.flags.items():
        if flag == "retries":
            made["Retries"] = int(value)
        elif flag in names:
            made[names[flag]] = duration(value)
        else:
            raise BadParameter(f"Unknown flag: {flag}")
    config["Healthcheck"] = made


DOES: dict[str, Callable[[Record, Instruction], None]] = {
    "CMD": _command,
    "ENTRYPOINT": _entrypoint,
    "ENV": _environment,
    "EXPOSE": _expose,
    "HEALTHCHECK": _health_check,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _working_directory,
}
