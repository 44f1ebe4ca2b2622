"""The docker command to the same effect as an exchange. Long options, so that they explain themselves."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dockerlab.protocol.exchange import Exchange

__all__ = ["command_line"]

USUAL = "unix:///var/run/docker.sock"
Words = list[str]

#: Operations whose command is these words and the object's name.
SIMPLE = {
    "ContainerStart": "start",
    "ContainerWait": "wait",
    "ContainerPause": "pause",
    "ContainerUnpause": "unpause",
    "ContainerChanges": "diff",
    "ImageHistory": "history --no-trunc",
    "NetworkInspect": "network inspect",
    "VolumeInspect": "volume inspect",
    "NetworkList": "network ls",
    "VolumeList": "volume ls",
    "SystemVersion": "version",
    "SystemInfo": "info",
    "SystemDataUsage": "system df",
}

#: The query parameters that a command has options for. With any other the command would not do the same.
UNDERSTOOD = {
    "ContainerCreate": {"name", "platform"},
    "ContainerDelete": {"force", "v", "link"},
    "ContainerInspect": {"size"},
    "ContainerKill": {"signal"},
    "ContainerList": {"all", "limit", "size", "filters"},
    "ContainerLogs": {"follow", "stdout", "stderr", "timestamps", "tail", "since", "until"},
    "ContainerRename": {"name"},
    "ContainerRestart": {"signal", "t"},
    "ContainerStop": {"signal", "t"},
    "ContainerTop": {"ps_args"},
    "ImageList": {"all", "digests", "filters"},
}

#: Options of `docker create` that are written as they stand in the body.
CREATE_TEXTS = {
    "Hostname": "--hostname",
    "Domainname": "--domainname",
    "User": "--user",
    "WorkingDir": "--workdir",
    "StopSignal": "--stop-signal",
    "StopTimeout": "--stop-timeout",
}
CREATE_SWITCHES = {"Tty": "--tty", "OpenStdin": "--interactive"}
#: What the body of ContainerCreate may have for its command line to be the whole truth.
CREATE_KNOWN = {*CREATE_TEXTS, *CREATE_SWITCHES, "Image", "Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels"}
CREATE_KNOWN |= {"HostConfig"}
NOT_FOUND = 404


def command_line(exchange: Exchange, archive: str) -> str:
    """Write the command for a POSIX shell, or an empty text if docker has none to the same effect."""
    operation, options = exchange.operation.id, dict(parse_qsl(urlsplit(exchange.target).query))
    if options.get("condition") == "not-running":  # what docker wait asks for
        del options["condition"]
    name = str(exchange.arguments.get("id") or exchange.arguments.get("name") or "").removeprefix("/")
    given = {option for option, value in options.items() if value != "0"}
    if given - UNDERSTOOD.get(operation, set()) or name.startswith("-"):
        words: Words | None = None
    elif operation in SIMPLE:
        words = [*SIMPLE[operation].split(), *([name] if name else [])]
    elif operation == "ContainerExport":
        words = ["export", "--output", archive, name]
    elif operation == "ContainerCreate":
        words = _create(options, json.loads(exchange.request_body or b"{}"), exchange.status)
    elif operation in WITH_OPTIONS:
        words = WITH_OPTIONS[operation](options, name)
    else:
        words = None
    if words is None:
        return ""
    line = shlex.join(["docker", *_engine(exchange), *words])
    return line + _silenced(operation, options)


def _engine(exchange: Exchange) -> Words:
    """Name the engine, and the files of its TLS."""
    host = [] if exchange.docker_host == USUAL else ["--host", exchange.docker_host]
    if exchange.tls is None:
        return host
    files = {"--tlscacert": exchange.tls.ca, "--tlscert": exchange.tls.certificate, "--tlskey": exchange.tls.key}
    named = [word for option, path in files.items() if path for word in (option, path)]
    return [*host, "--tlsverify" if exchange.tls.verify else "--tls", *named]


def _silenced(operation: str, options: dict[str, str]) -> str:
    """`docker logs` always prints both streams; a shell can drop one."""
    if operation != "ContainerLogs":
        return ""
    if options.get("stdout") != "1":
        return " >/dev/null"
    return "" if options.get("stderr") == "1" else " 2>/dev/null"


def _switches(options: dict[str, str], **names: str) -> Words:
    return [option for name, option in names.items() if options.get(name) == "1"]


def _values(options: dict[str, str], **names: str) -> Words:
    return [word for name, option in names.items() if name in options for word in (option, options[name])]


def _filters(options: dict[str, str]) -> Words:
    wanted: dict[str, list[str]] = json.loads(options.get("filters", "{}"))
    return [word for name, values in wanted.items() for value in values for word in ("--filter", f"{name}={value}")]


def _list(options: dict[str, str], name: str) -> Words:
    words = ["ps", *_switches(options, all="--all", size="--size")]
    words += _values(options, limit="--last") if options.get("limit") != "0" else []
    return [*words, "--no-trunc", *_filters(options)]


def _images(options: dict[str, str], name: str) -> Words:
    return ["images", *_switches(options, all="--all", digests="--digests"), "--no-trunc", *_filters(options)]


def _inspect(options: dict[str, str], name: str) -> Words:
    return ["container", "inspect", *_switches(options, size="--size"), name]


def _top(options: dict[str, str], name: str) -> Words:
    return ["top", name, *options.get("ps_args", "").split(" ")] if "ps_args" in options else ["top", name]


def _logs(options: dict[str, str], name: str) -> Words:
    words = ["logs", *_switches(options, follow="--follow", timestamps="--timestamps")]
    return [*words, *_values(options, tail="--tail", since="--since", until="--until"), name]


def _stop(options: dict[str, str], name: str) -> Words:
    return ["stop", *_values(options, signal="--signal", t="-t"), name]  # its long option has two names


def _restart(options: dict[str, str], name: str) -> Words:
    return ["restart", *_values(options, signal="--signal", t="-t"), name]


def _kill(options: dict[str, str], name: str) -> Words:
    return ["kill", *_values(options, signal="--signal"), name]


def _delete(options: dict[str, str], name: str) -> Words:
    return ["rm", *_switches(options, force="--force", v="--volumes", link="--link"), name]


def _rename(options: dict[str, str], name: str) -> Words:
    return ["rename", name, options.get("name", "")]


WITH_OPTIONS: dict[str, Callable[[dict[str, str], str], Words]] = {
    "ContainerList": _list,
    "ContainerInspect": _inspect,
    "ContainerTop": _top,
    "ContainerLogs": _logs,
    "ContainerStop": _stop,
    "ContainerRestart": _restart,
    "ContainerKill": _kill,
    "ContainerDelete": _delete,
    "ContainerRename": _rename,
    "ImageList": _images,
    "ImageInspect": lambda options, name: ["image", "inspect", name],
}


def _create(options: dict[str, str], body: dict[str, Any], status: int) -> Words | None:
    """`docker create`, or None if the body holds something that its options can't say."""
    command, host, entrypoint = body.get("Cmd") or [], _host_config(body), body.get("Entrypoint")
    environment = body.get("Env") or []
    if set(body) - CREATE_KNOWN or host is None or not all("=" in entry for entry in environment):
        return None
    if isinstance(entrypoint, list) and len(entrypoint) != 1:
        return None
    words = ["create", *_values(options, name="--name", platform="--platform")]
    if status == NOT_FOUND:
        words += ["--pull", "never"]  # the command would fetch the image first
    for key, option in CREATE_TEXTS.items():
        if body.get(key) not in (None, ""):
            words += [option, str(body[key])]
    if entrypoint is not None:
        words += ["--entrypoint", entrypoint if isinstance(entrypoint, str) else entrypoint[0]]
    words += [option for key, option in CREATE_SWITCHES.items() if body.get(key)]
    words += [word for entry in environment for word in ("--env", entry)]
    words += [word for port in body.get("ExposedPorts") or {} for word in ("--expose", port)]
    words += [word for key, value in (body.get("Labels") or {}).items() for word in ("--label", f"{key}={value}")]
    return [*words, *host, str(body.get("Image", "")), *([command] if isinstance(command, str) else command)]


def _host_config(body: dict[str, Any]) -> Words | None:
    """`--restart` and `--rm`, or None for a HostConfig with more in it."""
    settings = body.get("HostConfig") or {}
    policy = settings.get("RestartPolicy") or {}
    if set(settings) - {"RestartPolicy", "AutoRemove"}:
        return None
    words = ["--rm"] if settings.get("AutoRemove") else []
    if policy.get("Name"):
        count = policy.get("MaximumRetryCount") or 0
        words += ["--restart", policy["Name"] + (f":{count}" if count else "")]
    return words
