"""What Docker refuses of a container that is to be created, in Docker's words."""

from __future__ import annotations

import os
import re
from typing import Any

from dockerlab.engine.common import signals
from dockerlab.engine.containers import log_options
from dockerlab.engine.containers.defaults import HOST_CONFIG
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.bodies import check_host_config

__all__ = ["check_container", "limits", "platform", "reference"]

LEAST_MEMORY = 6 << 20
PORT = re.compile(r"\d+(-\d+)?")
PLATFORM = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,2}")
SYSTEMS = ("linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "plan9", "aix")
MACHINES = (
    "amd64",
    "x86_64",
    "386",
    "i386",
    "arm64",
    "aarch64",
    "arm",
    "armhf",
    "armel",
    "ppc64le",
    "s390x",
    "riscv64",
)
POLICIES = ("no", "always", "unless-stopped", "on-failure")
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(rf"(?:[\w.-]+(?::\d+)?/)?{PART}(?:/{PART})*(?::\w[\w.-]{{0,127}})?(?:@\w+:[0-9a-f]{{32,}})?")
Record = dict[str, Any]


def check_container(body: Record, host: Record) -> None:
    """Hold a request for a container against the rules. Raises BadParameter."""
    check_host_config(host, HOST_CONFIG)
    _config(body)
    limits(host)
    log_options.check(host.get("LogConfig") or {})
    name = body.get("Image") or ""
    if name:
        reference(name)
    elif not (body.get("Entrypoint") or body.get("Cmd")):
        raise BadParameter("no command specified")
    _ports(host)
    _spaces(host)


def _spaces(host: Record) -> None:
    """Hold the namespaces that are asked for against those that there are."""
    mode = host.get("IpcMode") or ""
    if mode not in ("", "none", "private", "shareable", "host") and not mode.startswith("container:"):
        raise BadParameter(f"invalid IPC mode: {mode}")


def _ports(host: Record) -> None:
    for port, bindings in (host.get("PortBindings") or {}).items():
        number, _, protocol = port.partition("/")
        if not PORT.fullmatch(number) or protocol not in ("", "tcp", "udp", "sctp"):
            raise BadParameter(f'invalid port specification: "{number}"')
        for binding in bindings or []:
            if not re.fullmatch(r"\d*(-\d+)?", (binding or {}).get("HostPort") or ""):
                raise BadParameter(f'invalid port specification: "{binding["HostPort"]}"')


def platform(text: str) -> None:
    """Hold the name of a platform against the rules. Raises BadParameter."""
    if text and not PLATFORM.fullmatch(text):
        raise BadParameter(f'"{text}": cannot parse platform specifier: invalid argument')
    if text and "/" not in text and text.lower() not in (*SYSTEMS, *MACHINES):
        raise BadParameter(f'"{text}": unknown operating system or architecture: invalid argument')


def reference(name: str) -> None:
    """Hold an image's name against the rules. Raises BadParameter."""
    if REFERENCE.fullmatch(name) or re.fullmatch(r"sha256:[0-9a-f]+", name):
        return
    first, _, rest = name.partition("/")
    elsewhere = bool(rest) and (first == "localhost" or any(c in ".:" or c.isupper() for c in first))
    path = (rest if elsewhere else name).partition(":")[0]
    if path == path.lower() or not REFERENCE.fullmatch(path.lower()):
        raise BadParameter("invalid reference format")
    path = path if elsewhere or "/" in path else f"library/{path}"
    raise BadParameter(f"invalid reference format: repository name ({path}) must be lowercase")


def _config(body: Record) -> None:
    place = body.get("WorkingDir") or "/"
    if not place.startswith("/"):
        raise BadParameter(f"the working directory '{place}' is invalid, it needs to be an absolute path")
    signal = body.get("StopSignal")
    if signal and not signals.usable(signal):
        raise BadParameter(f"invalid signal: {signal}")
    for entry in body.get("Env") or []:
        if not entry or entry.startswith("="):
            raise BadParameter(f"invalid environment variable: {entry}")


def limits(host: Record) -> None:
    """Hold limits and the restart policy against the rules, at create and at update. Raises BadParameter."""
    _restart_policy(host)
    memory, swap = host.get("Memory") or 0, host.get("MemorySwap") or 0
    if 0 < memory < LEAST_MEMORY:
        raise BadParameter("Minimum memory limit allowed is 6MB")
    if memory > 0 and 0 < swap < memory:
        raise BadParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if not memory and swap > 0:
        raise BadParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if host.get("NanoCpus") and (host.get("CpuQuota") or host.get("CpuPeriod")):
        other = "CPU Period" if host.get("CpuPeriod") else "CPU Quota"
        raise BadParameter(f"Conflicting options: Nano CPUs and {other} cannot both be set")
    count = len(os.sched_getaffinity(0))
    if not 0 <= (host.get("NanoCpus") or 0) <= count * 10**9:
        raise BadParameter(f"range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available")


def _restart_policy(host: Record) -> None:
    policy = host.get("RestartPolicy") or {}
    kind, count = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    if kind not in POLICIES:
        choice = "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        raise BadParameter(f"invalid restart policy: unknown policy '{kind}'; {choice}")
    if count and kind != "on-failure":
        more = " and cannot be negative" if count < 0 else ""
        raise BadParameter(f"invalid restart policy: maximum retry count can only be used with 'on-failure'{more}")
    if count < 0:
        raise BadParameter("invalid restart policy: maximum retry count cannot be negative")
    if host.get("AutoRemove") and kind != "no":
        raise BadParameter("can't create 'AutoRemove' container with restart policy")
