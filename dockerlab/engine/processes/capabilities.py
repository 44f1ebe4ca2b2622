"""Linux capabilities by name, and which of them a container's root has. See capabilities(7)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from dockerlab.engine.faults import BadParameter
from dockerlab.engine.processes.syscalls import CAPABILITIES

__all__ = ["NAMES", "allowed", "names"]

#: In the kernel's order: the place of a name is its number.
NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
ALL = "ALL"
NUMBERS = {name: number for number, name in enumerate(NAMES)}


def allowed(host: dict[str, Any], *, can_make_devices: bool = True) -> list[int]:
    """Return the numbers of the capabilities that a HostConfig allows. Raises BadParameter for an unknown name.

    Without `can_make_devices`, MKNOD is not one of the defaults.
    """
    added, dropped = _plain_names(host, "CapAdd"), _plain_names(host, "CapDrop")
    if host.get("Privileged"):
        return list(NUMBERS.values())
    if ALL in added:
        chosen = set(NUMBERS) - dropped
    elif ALL in dropped:
        chosen = added
    else:
        defaults = {NAMES[number] for number in CAPABILITIES} - (set() if can_make_devices else {"MKNOD"})
        chosen = (defaults - dropped) | added
    return sorted(NUMBERS[name] for name in chosen)


def names(host: dict[str, Any]) -> frozenset[str]:
    """Return the names of the capabilities that a HostConfig allows, such as `CAP_CHOWN`. Raises BadParameter."""
    return frozenset(f"CAP_{NAMES[number]}" for number in allowed(host))


def _plain_names(host: dict[str, Any], field: str) -> set[str]:
    """Return the names in a field of a HostConfig without `CAP_`, or `ALL`. Raises BadParameter."""
    plain_names = set()
    for text in host.get(field) or []:
        name = text.upper()
        plain = name.removeprefix("CAP_")
        if name != ALL and plain not in NUMBERS:
            raise BadParameter(f"invalid {field}: unknown capability: {json.dumps(f'CAP_{plain}')}")
        if name != ALL and not _is_available(NUMBERS[plain]):
            reason = "capability not supported by your kernel or not available in the current environment"
            raise BadParameter(f'invalid {field}: {reason}: "CAP_{plain}"')
        plain_names.add(plain)
    return plain_names


@functools.cache
def _is_available(number: int) -> bool:
    """Tell whether the engine itself has a capability. An engine without any only stores the setting."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    own = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return not own or bool(own >> number & 1)
