"""Linux capabilities by name, and which of them a container's root has. See capabilities(7)."""

from __future__ import annotations

from typing import Any

from dockerlab.engine.faults import BadParameter
from dockerlab.engine.processes.syscalls import CAPABILITIES

__all__ = ["NAMES", "allowed"]

#: In the kernel's order: the place of a name is its number.
NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
NUMBERS = {name: number for number, name in enumerate(NAMES)}


def allowed(host: dict[str, Any]) -> list[int]:
    """Return the numbers of the capabilities that a HostConfig allows. Raise BadParameter for an unknown name."""
    if host.get("Privileged"):
        return list(range(len(NAMES)))
    numbers = set(CAPABILITIES)
    for change, field in ((numbers.difference_update, "CapDrop"), (numbers.update, "CapAdd")):
        for name in host.get(field) or []:
            change(_numbers(name, field))
    return sorted(numbers)


def _numbers(name: str, field: str) -> list[int]:
    plain = name.upper().removeprefix("CAP_")
    if plain == "ALL":
        return list(NUMBERS.values())
    if plain not in NUMBERS:
        raise BadParameter(f'invalid {field}: unknown capability: "CAP_{plain}"')
    return [NUMBERS[plain]]
