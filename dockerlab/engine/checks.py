"""What Docker refuses of a container that is to be created, in Docker's words."""

from __future__ import annotations

import re
from typing import Any

from dockerlab.engine import signals
from dockerlab.engine.bodies import check_host_config
from dockerlab.engine.defaults import HOST_CONFIG
from dockerlab.engine.faults import BadParameter

__all__ = ["container", "reference"]

LEAST_MEMORY = 6 << 20
POLICIES = ("no", "always", "unless-stopped", "on-failure")
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(rf"(?:[\w.-]+(?::\d+)?/)?{PART}(?:/{PART})*(?::\w[\w.-]{{0,127}})?(?:@\w+:[0-9a-f]{{32,}})?")
Record = dict[str, Any]


def container(body: Record, host: Record) -> None:
    """Hold a request for a container against the rules. Raises BadParameter."""
    check_host_config(host, HOST_CONFIG)
    _config(body)
    _restart_policy(host)
    memory = host.get("Memory") or 0
    if 0 < memory < LEAST_MEMORY:
        raise BadParameter("Minimum memory limit allowed is 6MB")
    driver = (host.get("LogConfig") or {}).get("Type") or "json-file"
    if driver not in ("json-file", "none", "local"):
        raise BadParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    name = body.get("Image") or ""
    if name:
        reference(name)
    elif not (body.get("Entrypoint") or body.get("Cmd")):
        raise BadParameter("no command specified")
    else:
        raise BadParameter("invalid reference format")  # Docker makes a container of no files from it


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
