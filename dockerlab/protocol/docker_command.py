"""Writes an exchange as the docker command with the same effect, with long options because they explain themselves."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dockerlab.endpoint.known_sockets import USUAL_SOCKET
from dockerlab.protocol.render import Call, archive_name

__all__ = ["command_line"]

#: The engine that the docker command reaches without `--host`.
DEFAULT_HOST = f"unix://{USUAL_SOCKET}"
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

#: The query parameters for which a command has options. With any other one there is no command with the same effect.
SUPPORTED = {
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

#: Options of `docker create` whose values are copied from the body.
CREATE_TEXTS = {
    "Hostname": "--hostname",
    "Domainname": "--domainname",
    "User": "--user",
    "WorkingDir": "--workdir",
    "StopSignal": "--stop-signal",
    "StopTimeout": "--stop-timeout",
}
CREATE_SWITCHES = {"Tty": "--tty", "OpenStdin": "--interactive"}
#: The fields of ContainerCreate that a command can express. With any other one there is no command.
CREATE_SUPPORTED = {*CREATE_TEXTS, *CREATE_SWITCHES, "Image", "Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels"}
CREATE_SUPPORTED |= {"HostConfig"}
NOT_FOUND = 404


def command_line(call: Call) -> str:
    """Write the command for a POSIX shell, or an empty text if docker has none with the same effect."""
    operation, options = call.operation.id, dict(parse_qsl(urlsplit(call.target).query))
    if options.get("condition") == "not-running":  # the condition that `docker wait` waits for anyway
        del options["condition"]
    name = str(call.arguments.get("id") or call.arguments.get("name") or "").removeprefix("/")
    used = {option for option, value in options.items() if value != "0"}
    if used - SUPPORTED.get(operation, set()) or name.startswith("-"):
        words: Words | None = None
    elif operation in SIMPLE:
        words = [*SIMPLE[operation].split(), *([name] if name else [])]
    elif operation == "ContainerExport":
        words = ["export", "--output", archive_name(call), name]
    elif operation == "ContainerCreate":
        words = _create(options, json.loads(call.request_body or b"{}"), call.status)
    elif operation in WITH_OPTIONS:
        words = WITH_OPTIONS[operation](options, name)
    else:
        words = None
    if words is None:
        return ""
    line = shlex.join(["docker", *_engine_options(call), *words])
    return line + _redirection(operation, options)


def _engine_options(call: Call) -> Words:
    host = [] if call.docker_host == DEFAULT_HOST else ["--host", call.docker_host]
    if call.tls is None:
        return host
    files = {"--tlscacert": call.tls.ca, "--tlscert": call.tls.certificate, "--tlskey": call.tls.key}
    tls = [word for option, path in files.items() if path for word in (option, path)]
    return [*host, "--tlsverify" if call.tls.verify else "--tls", *tls]


def _redirection(operation: str, options: dict[str, str]) -> str:
    """Return the shell's redirection that drops one stream of `docker logs`, which always prints both."""
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
    filters: dict[str, list[str]] = json.loads(options.get("filters", "{}"))
    return [word for name, values in filters.items() for value in values for word in ("--filter", f"{name}={value}")]


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
    return [
        "stop",
        *_values(options, signal="--signal", t="-t"),
        name,
    ]  # the long name of -t differs between versions


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
    """Return `docker create` with its options, or None if no option expresses something in the body."""
    command, host, entrypoint = body.get("Cmd") or [], _host_config(body), body.get("Entrypoint")
    environment = body.get("Env") or []
    if set(body) - CREATE_SUPPORTED or host is None or not all("=" in entry for entry in environment):
        return None
    if isinstance(entrypoint, list) and len(entrypoint) != 1:
        return None
    words = ["create", *_values(options, name="--name", platform="--platform")]
    if status == NOT_FOUND:
        words += ["--pull", "never"]  # the command would pull the image first, and succeed
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
    """Return `--restart` and `--rm`, or None if HostConfig has anything else."""
    settings = body.get("HostConfig") or {}
    policy = settings.get("RestartPolicy") or {}
    if set(settings) - {"RestartPolicy", "AutoRemove"}:
        return None
    words = ["--rm"] if settings.get("AutoRemove") else []
    if policy.get("Name"):
        count = policy.get("MaximumRetryCount") or 0
        words += ["--restart", policy["Name"] + (f":{count}" if count else "")]
    return words
