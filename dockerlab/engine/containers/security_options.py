"""What `HostConfig.SecurityOpt` says, as Docker reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import seccomp

__all__ = ["SecurityOptions", "read", "seccomp_program", "without_effect"]

#: The words that Go reads as a bool.
BOOLS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
NO_NEW_PRIVILEGES, WRITABLE_CGROUPS = "no-new-privileges", "writable-cgroups"
#: Options of security modules that the practice engine does not use. Docker accepts them everywhere, too.
OF_MODULES = ("label", "apparmor")
OFF = ("disable", "unconfined")
Document = dict[str, Any]


@dataclass(slots=True)
class SecurityOptions:
    """The options of a container. `seccomp` is `builtin`, `unconfined`, or a profile as JSON; "" without a choice."""

    no_new_privileges: bool = False
    writable_cgroups: bool = False
    seccomp: str = ""


def read(host: Document) -> SecurityOptions:
    """Read the options of a HostConfig. Raises Fault, with Docker's message, for one that Docker refuses."""
    options = SecurityOptions()
    for option in host.get("SecurityOpt") or []:
        if option in (NO_NEW_PRIVILEGES, WRITABLE_CGROUPS):
            name, value = option, "true"
        elif option == "disable":
            continue
        else:
            name, separator, value = option.partition("=" if "=" in option else ":")
            if not separator:
                raise Fault(f"invalid --security-opt 1: {json.dumps(option)}")
        if name == "seccomp":
            options.seccomp = value
        elif name == NO_NEW_PRIVILEGES and value in BOOLS:
            options.no_new_privileges = BOOLS[value]
        elif name == WRITABLE_CGROUPS and value in BOOLS:
            options.writable_cgroups = BOOLS[value]
        elif name not in OF_MODULES:
            raise Fault(f"invalid --security-opt 2: {json.dumps(option)}")
    return options


def seccomp_program(host: Document, capabilities: frozenset[str]) -> bytes:
    """Return the program that filters the system calls of a container; b"" without a filter. Raises Fault."""
    profile = read(host).seccomp or (seccomp.UNCONFINED if host.get("Privileged") else seccomp.BUILTIN)
    return b"" if profile == seccomp.UNCONFINED else seccomp.program(profile, capabilities)


def without_effect(host: Document, *, has_seccomp: bool) -> list[str]:
    """Return the names of the options that the practice engine stores but does not act on. Raises Fault."""
    options, words = read(host), host.get("SecurityOpt") or []
    names = [
        name for name in OF_MODULES if any(word.startswith(name) and word[len(name) + 1 :] not in OFF for word in words)
    ]
    if options.writable_cgroups:
        names.append(WRITABLE_CGROUPS)
    if options.seccomp not in ("", seccomp.UNCONFINED) and not has_seccomp:
        names.append("seccomp")
    return names
