"""Dockerfile instructions: how a line is parsed, and how instructions change an image's configuration.

Commit and import accept these instructions as `changes`; the builder uses all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dockerlab.engine.common import signals, timestamps
from dockerlab.engine.faults import BadParameter

__all__ = [
    "CHANGE_KEYWORDS",
    "Instruction",
    "apply_changes",
    "apply_instruction",
    "name_value_pairs",
    "parse_instruction",
    "shell_of",
    "unquote",
]

#: The instructions that commit and import accept as `changes`.
CHANGE_KEYWORDS = (
    *("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL"),
    *("ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
FLAG = re.compile(r"--([a-zA-Z][a-zA-Z0-9-]*)(?:=(\S*))?(?:\s+|$)")
KEYWORDS_WITH_FLAGS = ("ADD", "COPY", "FROM", "HEALTHCHECK", "RUN")
#: Text in single quotes, in double quotes, behind a backslash, without any of them, or spaces.
SHELL_PART = re.compile(r"'([^']*)'|\"((?:[^\"\\]++|\\.)*+)\"|\\(.)|([^'\"\\\s]+)|\s+", re.DOTALL)
ESCAPED_IN_QUOTES = re.compile(r"\\([\"\\])")
PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
HIGHEST_PORT = 65535
HEALTH_CHECK_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}
Record = dict[str, Any]


def unquote(word: str) -> str:
    """Remove the quotes and backslashes from a word, as a shell does. Raises BadParameter."""
    if not any(character in word for character in "'\"\\"):
        return word
    texts, place = [], 0
    while place < len(word):
        part = SHELL_PART.match(word, place)
        if part is None:
            raise BadParameter(f"unexpected end of statement while looking for matching quote: {word}")
        texts.append(part[1] or ESCAPED_IN_QUOTES.sub(r"\1", part[2] or "") or part[3] or part[4] or "")
        place = part.end()
    return "".join(texts)


@dataclass(slots=True)
class Instruction:
    """One instruction of a Dockerfile, split into keyword, flags and body."""

    keyword: str  #: in capital letters
    body: str  #: everything after the keyword and the flags
    flags: dict[str, str] = field(default_factory=dict)
    json_words: list[str] | None = None  #: the body, if it is a JSON array of strings
    line: int = 0
    expand: Callable[[str], str] = unquote  #: removes quotes; during a build it also substitutes variables
    keyword_as_written: str = ""
    keeps_command: bool = False  #: an ENTRYPOINT normally resets CMD, but not after a CMD of the same stage

    @property
    def original(self) -> str:
        """The instruction as it was written."""
        flags = "".join(f"--{name}={value} " for name, value in self.flags.items())
        return f"{self.keyword_as_written or self.keyword} {flags}{self.body}".rstrip()

    def words(self) -> list[str]:
        """Return the arguments: the items of the JSON array, or the words between spaces."""
        return self.json_words if self.json_words is not None else _split(self.body)


def parse_instruction(text: str, line: int = 0) -> Instruction:
    """Parse one instruction whose continuation lines are already joined."""
    keyword, _, body = text.strip().partition(" ")
    if "\t" in keyword:
        keyword, _, after_tab = keyword.partition("\t")
        body = f"{after_tab} {body}"
    body = body.strip()
    instruction = Instruction(keyword.upper(), "", line=line, keyword_as_written=keyword)
    if instruction.keyword in KEYWORDS_WITH_FLAGS:
        end = 0
        while flag := FLAG.match(body, end):
            instruction.flags[flag[1]] = flag[2] if flag[2] is not None else "true"
            end = flag.end()
        body = body[end:]
    instruction.body = body
    instruction.json_words = _json_words(body)
    return instruction


def _json_words(body: str) -> list[str] | None:
    if not body.startswith("["):
        return None
    try:
        words = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _split(text: str) -> list[str]:
    """Split at spaces outside quotes; the words keep their quotes, because substitution still needs them."""
    words: list[str] = []
    word: list[str] = []
    quote, escaped = "", False
    for character in text:
        if character.isspace() and not quote and not escaped:
            words += ["".join(word)] if word else []
            word = []
            continue
        word.append(character)
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
    return [*words, "".join(word)] if word else words


def name_value_pairs(instruction: Instruction) -> dict[str, str]:
    """Parse `NAME=value NAME=value`, or the older form `NAME value`. Raises BadParameter."""
    words = _split(instruction.body)
    if not words:
        raise BadParameter(f"{instruction.keyword} requires at least one argument")
    if "=" not in words[0]:
        if len(words) == 1:
            raise BadParameter(f"{instruction.keyword} must have two arguments")
        return {instruction.expand(words[0]): instruction.expand(instruction.body.split(None, 1)[1])}
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadParameter(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
        if not name:
            raise BadParameter(f"{instruction.keyword} names can not be blank")
        pairs[instruction.expand(name)] = instruction.expand(value)
    return pairs


def apply_changes(config: Record, changes: list[str]) -> Record:
    """Return a copy of a configuration with all instructions in `changes` applied. Raises BadParameter."""
    new_config: Record = json.loads(json.dumps(config))
    for line in (line for change in changes for line in change.splitlines()):
        if not line.strip():
            continue
        instruction = parse_instruction(line)
        if instruction.keyword not in CHANGE_KEYWORDS:
            raise BadParameter(f"{instruction.keyword} is not a valid change command")
        apply_instruction(new_config, instruction)
    return new_config


def apply_instruction(config: Record, instruction: Instruction) -> None:
    """Change a configuration in place as one instruction says. Raises BadParameter."""
    if not instruction.body and instruction.keyword not in ("CMD", "ENTRYPOINT"):
        raise BadParameter(f"{instruction.keyword} requires at least one argument")
    APPLY[instruction.keyword](config, instruction)


def _command(config: Record, instruction: Instruction) -> None:
    config["Cmd"] = _program(config, instruction)


def _entrypoint(config: Record, instruction: Instruction) -> None:
    config["Entrypoint"] = _program(config, instruction) or None
    if not instruction.keeps_command:
        config["Cmd"] = None


def _program(config: Record, instruction: Instruction) -> list[str]:
    if instruction.json_words is not None:
        return instruction.json_words
    return [*shell_of(config), instruction.body] if instruction.body else []


def shell_of(config: Record) -> list[str]:
    """Return the program that runs the commands of an image which are not JSON arrays."""
    return config.get("Shell") or ["/bin/sh", "-c"]


def _environment(config: Record, instruction: Instruction) -> None:
    for name, value in name_value_pairs(instruction).items():
        entries = list(config.get("Env") or [])
        places = [number for number, entry in enumerate(entries) if entry.partition("=")[0] == name]
        if places:
            entries[places[0]] = f"{name}={value}"
        else:
            entries.append(f"{name}={value}")
        config["Env"] = entries


def _label(config: Record, instruction: Instruction) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **name_value_pairs(instruction)}


def _expose(config: Record, instruction: Instruction) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in map(instruction.expand, instruction.words()):
        match = PORT.fullmatch(word)
        if not match or int(match[2] or match[1]) > HIGHEST_PORT:
            raise BadParameter(f"Invalid containerPort: {word}")
        for number in range(int(match[1]), int(match[2] or match[1]) + 1):
            ports[f"{number}/{(match[3] or 'tcp').lower()}"] = {}
    config["ExposedPorts"] = ports


def _user(config: Record, instruction: Instruction) -> None:
    config["User"] = instruction.expand(instruction.body)


def _working_directory(config: Record, instruction: Instruction) -> None:
    path = instruction.expand(instruction.body)
    if not path.startswith("/"):
        path = f"{config.get('WorkingDir') or '/'}/{path}"
    parts: list[str] = []
    for part in path.split("/"):
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
        volumes[instruction.expand(word)] = {}
    config["Volumes"] = volumes


def _stop_signal(config: Record, instruction: Instruction) -> None:
    signal = instruction.expand(instruction.body)
    if not signals.is_known(signal):
        raise BadParameter(f"invalid signal: {signal}")
    config["StopSignal"] = signal


def _on_build(config: Record, instruction: Instruction) -> None:
    keyword = instruction.body.split(None, 1)[0].upper()
    if keyword == "ONBUILD":
        raise BadParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if keyword in ("MAINTAINER", "FROM"):
        raise BadParameter(f"{keyword} isn't allowed as an ONBUILD trigger")
    config["OnBuild"] = [*(config.get("OnBuild") or []), instruction.body]


def _shell(config: Record, instruction: Instruction) -> None:
    if instruction.json_words is None:
        raise BadParameter("SHELL requires the arguments to be in JSON form")
    config["Shell"] = instruction.json_words


def _health_check(config: Record, instruction: Instruction) -> None:
    kind, _, _ = instruction.body.partition(" ")
    if kind.upper() == "NONE":
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind.upper() != "CMD":
        raise BadParameter(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')
    command = parse_instruction(instruction.body)
    if not command.body:
        raise BadParameter("Missing command after HEALTHCHECK CMD")
    words = command.json_words
    check: Record = {"Test": ["CMD-SHELL", command.body] if words is None else ["CMD", *words]}
    for flag, value in instruction.flags.items():
        if flag == "retries":
            check["Retries"] = _retries(value)
        elif flag in HEALTH_CHECK_TIMES:
            check[HEALTH_CHECK_TIMES[flag]] = _parse_duration(value)
        else:
            raise BadParameter(f"Unknown flag: {flag}")
    config["Healthcheck"] = check


def _retries(text: str) -> int:
    """Return the number of `--retries`. Raises BadParameter."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise BadParameter(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise BadParameter(f"--retries cannot be negative ({text})")
    return int(text)


def _parse_duration(text: str) -> int:
    """Return the nanoseconds in a duration such as `1m30s`. Raises BadParameter."""
    nanoseconds = timestamps.duration(text)
    if nanoseconds is None:
        raise BadParameter(f'time: invalid duration "{text}"')
    return nanoseconds


APPLY: dict[str, Callable[[Record, Instruction], None]] = {
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
