"""What Docker refuses in the request for a new container, with its messages."""

from __future__ import annotations

import os
import re
from typing import Any

from dockerlab.engine.common import signals
from dockerlab.engine.containers import log_options, security_options, setting_checks
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images import references

__all__ = ["check_container", "check_limits", "check_platform"]

LEAST_MEMORY = 6 << 20
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
RESTART_POLICIES = ("no", "always", "unless-stopped", "on-failure")
Document = dict[str, Any]


def check_container(body: Document, host: Document) -> None:
    """Check the body of a create request and its HostConfig. Raises BadParameter."""
    _check_config(body)
    check_limits(host)
    log_options.check(host.get("LogConfig") or {})
    image = body.get("Image") or ""
    if image:
        references.check_name_or_id(image)
    elif not (body.get("Entrypoint") or body.get("Cmd")):
        raise BadParameter("no command specified")
    setting_checks.check_host(host)
    security_options.read(host)


def _check_config(body: Document) -> None:
    directory = body.get("WorkingDir") or "/"
    if not directory.startswith("/"):
        raise BadParameter(f"the working directory '{directory}' is invalid, it needs to be an absolute path")
    signal = body.get("StopSignal")
    if signal and not signals.is_known(signal):
        raise BadParameter(f"invalid signal: {signal}")
    setting_checks.check_health(body.get("Healthcheck") or {})
    for entry in body.get("Env") or []:
        if not entry or entry.startswith("="):
            raise BadParameter(f"invalid environment variable: {entry}")


def check_platform(text: str) -> None:
    """Check the name of a platform, such as `linux/amd64`. Raises BadParameter."""
    if text and not PLATFORM.fullmatch(text):
        raise BadParameter(f'"{text}": cannot parse platform specifier: invalid argument')
    if text and "/" not in text and text.lower() not in (*SYSTEMS, *MACHINES):
        raise BadParameter(f'"{text}": unknown operating system or architecture: invalid argument')


def check_limits(host: Document) -> None:
    """Check the limits and the restart policy of a create or update request. Raises BadParameter."""
    _check_restart_policy(host)
    setting_checks.check_cpus(host)
    memory, swap = host.get("Memory") or 0, host.get("MemorySwap") or 0
    if memory and memory < LEAST_MEMORY:
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


def _check_restart_policy(host: Document) -> None:
    policy = host.get("RestartPolicy") or {}
    name, count = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    if name not in RESTART_POLICIES:
        choice = "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        raise BadParameter(f"invalid restart policy: unknown policy '{name}'; {choice}")
    if count and name != "on-failure":
        more = " and cannot be negative" if count < 0 else ""
        raise BadParameter(f"invalid restart policy: maximum retry count can only be used with 'on-failure'{more}")
    if count < 0:
        raise BadParameter("invalid restart policy: maximum retry count cannot be negative")
    if host.get("AutoRemove") and name != "no":
        raise BadParameter("can't create 'AutoRemove' container with restart policy")
