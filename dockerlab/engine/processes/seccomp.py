"""Which system calls a container may make: a profile in Docker's form becomes a program for the kernel, see seccomp(2).

Docker's default profile is in seccomp_default.py. A profile may depend on the container's capabilities, on the machine
and on its kernel. As in runc, a call that is newer than everything in the profile fails with ENOSYS, so that programs
use an older one instead.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import platform
import re
from dataclasses import dataclass
from typing import Any

from dockerlab.engine.common import go_types
from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import syscall_numbers
from dockerlab.engine.processes.seccomp_default import PROFILE
from dockerlab.engine.processes.seccomp_program import OPERATORS, Architecture, Condition, Decision, Rule, write_program

__all__ = ["BUILTIN", "MACHINES", "NATIVE", "UNCONFINED", "Machine", "is_available", "program"]

BUILTIN, UNCONFINED = "builtin", "unconfined"
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ACTIONS = {
    "SCMP_ACT_KILL": 0,
    "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
NOTIFY = "SCMP_ACT_NOTIFY"
#: With these default actions, newer calls need no special treatment.
PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")
WITH_NUMBER, NUMBER_MASK = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"), 0xFFFF
NOT_IMPLEMENTED = (Rule(ACTIONS["SCMP_ACT_ERRNO"] | errno.ENOSYS),)
MOST_ARGUMENTS = 6
#: Accepted, but without effect here.
FLAGS = ("SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG")
Profile = dict[str, Any]
#: The beginnings of Docker's messages, depending on the program that found the error.
NOT_DECODED = "Decoding seccomp profile failed: "
RUNC = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
)
INIT = f"{RUNC}unable to start container process: error during container init: "


@dataclass(frozen=True, slots=True)
class Machine:
    """An architecture: its name in a profile's conditions, the kernel's number for it, and those of its calls."""

    go_name: str
    audit: int
    numbers: dict[str, int]


MACHINES = {
    "SCMP_ARCH_X86_64": Machine("amd64", 0xC000003E, syscall_numbers.X86_64),
    "SCMP_ARCH_X86": Machine("x86", 0x40000003, syscall_numbers.X86),
    "SCMP_ARCH_AARCH64": Machine("arm64", 0xC00000B7, syscall_numbers.AARCH64),
    "SCMP_ARCH_ARM": Machine("arm", 0x40000028, syscall_numbers.ARM),
}
NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
OTHER_ARCHITECTURES = {
    *("SCMP_ARCH_X32", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL"),
    *("SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE"),
    *("SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X"),
}
#: Calls of the x32 programs on x86_64 have numbers with this bit. Hardly any kernel has them; no container gets them.
X32_BIT = 0x40000000


@functools.cache
def is_available() -> bool:
    """Tell whether there is a table of system calls for this machine, and whether its kernel takes filters."""
    if platform.machine() not in NATIVE:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, 0, 0)  # an invalid address: it never succeeds
    return ctypes.get_errno() == errno.EFAULT


@functools.lru_cache(maxsize=64)
def program(profile: str, capabilities: frozenset[str]) -> bytes:
    """Return the program for a profile, which is `builtin` or JSON; b"" if it allows everything.

    `capabilities` are those of the container, such as `CAP_CHOWN`. Raises Fault with Docker's message.
    """
    return _compile(PROFILE if profile == BUILTIN else _read(profile), capabilities)


def _read(text: str) -> Profile:
    try:
        profile: Profile = go_types.read("seccomp.Seccomp", text)
    except ValueError as error:
        raise Fault(f"{NOT_DECODED}{error}") from None
    return profile


def _compile(profile: Profile, capabilities: frozenset[str]) -> bytes:
    default_action, calls = profile.get("defaultAction") or "", profile.get("syscalls") or []
    if not default_action and not calls:
        return b""
    for flag in profile.get("flags") or []:
        if flag not in FLAGS:
            raise Fault(f"{RUNC}seccomp flag {flag} is not known to runc")
    default = _action(default_action, profile.get("defaultErrnoRet"))
    rules: dict[str, list[Rule]] = {}
    for call in calls:
        if call and _applies(call, capabilities):
            action = _action(call.get("action") or "", call.get("errnoRet"))
            for name in _names(call):
                rules.setdefault(name, []).extend(_rules(name, action, call.get("args") or []))
    decisions = {name: _decision(added, default) for name, added in rules.items()}
    architectures = [
        _architecture(MACHINES[name], decisions, default, has_limit=default_action not in PERMISSIVE)
        for name in _architectures(profile)
    ]
    return write_program(architectures, ACTIONS["SCMP_ACT_KILL"])


def _architectures(profile: Profile) -> list[str]:
    """Return the architectures of a profile that this machine has, its own one first."""
    own, names, rows = NATIVE[platform.machine()], profile.get("architectures") or [], profile.get("archMap") or []
    if names and rows:
        first, second = "'architectures'", "'archMap'"
        raise Fault(f"both {first} and {second} are specified in the seccomp profile, use either {first} or {second}")
    for row in filter(None, rows):
        if row.get("architecture") == own:
            names = row.get("subArchitectures") or []
            break
    for name in names:
        if name not in MACHINES and name not in OTHER_ARCHITECTURES:
            raise Fault(f"{RUNC}string {name} is not a valid arch for seccomp")
    return [own, *(name for name in MACHINES if name in names and name != own)]


def _applies(call: Profile, capabilities: frozenset[str]) -> bool:
    """Tell whether a rule is for this machine and these capabilities."""
    own = MACHINES[NATIVE[platform.machine()]].go_name
    excludes, includes = call.get("excludes") or {}, call.get("includes") or {}
    if own in (excludes.get("arches") or []) or capabilities.intersection(excludes.get("caps") or []):
        return False
    if excludes.get("minKernel") and _kernel() >= _version(excludes["minKernel"]):
        return False
    if includes.get("arches") and own not in includes["arches"]:
        return False
    if not capabilities.issuperset(includes.get("caps") or []):
        return False
    return not includes.get("minKernel") or _kernel() >= _version(includes["minKernel"])


def _kernel() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])


def _version(text: str) -> tuple[int, ...]:
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", text)
    if not match:
        expected = 'expected "<kernel>.<major>"'
        raise Fault(f'{NOT_DECODED}invalid kernel version: "{text}", {expected}')
    return int(match[1]), int(match[2])


def _names(call: Profile) -> list[str]:
    names: list[str] = call.get("names") or []
    if call.get("name"):
        if names:
            raise Fault("both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'")
        return [call["name"]]
    if "" in names:
        raise Fault(f"{INIT}empty string is not a valid syscall")
    return names


def _action(name: str, number: int | None) -> int:
    """Return the kernel's value of an action; `number` is the error for `SCMP_ACT_ERRNO`, EPERM if there is none."""
    if name == NOTIFY:
        raise Fault(f"{INIT}seccomp listenerPath is not set")  # there are no agents that could decide here
    if name not in ACTIONS:
        raise Fault(f"{RUNC}string {name} is not a valid action for seccomp")
    return ACTIONS[name] | ((errno.EPERM if number is None else number) & NUMBER_MASK if name in WITH_NUMBER else 0)


def _rules(call: str, action: int, arguments: list[Profile]) -> list[Rule]:
    """Return the rules for conditions on arguments. Several conditions on the same argument are alternatives."""
    conditions = tuple(_condition(call, argument) for argument in filter(None, arguments))
    if len({condition.index for condition in conditions}) < len(conditions):
        return [Rule(action, (condition,)) for condition in conditions]
    return [Rule(action, conditions)]


def _condition(call: str, argument: Profile) -> Condition:
    name, index = argument.get("op") or "", argument.get("index") or 0
    operator = name.removeprefix("SCMP_CMP_")
    if operator not in OPERATORS or operator == name:
        raise Fault(f"{RUNC}string {name} is not a valid operator for seccomp")
    if index >= MOST_ARGUMENTS:
        reason = f"syscalls only have up to {MOST_ARGUMENTS} arguments ({index} given)"
        raise Fault(f"{INIT}error creating seccomp syscall condition for syscall {call}: {reason}")
    return Condition(index, operator, argument.get("value") or 0, argument.get("valueTwo") or 0)


def _decision(rules: list[Rule], default: int) -> Decision:
    """Return what happens at a call. A rule without conditions makes all others for this call meaningless."""
    changing = [rule for rule in rules if rule.action != default]
    for rule in changing:
        if not rule.conditions:
            return (rule,)
    return (*changing, Rule(default))


def _architecture(machine: Machine, by_name: dict[str, Decision], default: int, *, has_limit: bool) -> Architecture:
    """Return the decisions by number. With a limit, calls that are newer than all others are not implemented."""
    by_number = {machine.numbers[name]: decision for name, decision in by_name.items() if name in machine.numbers}
    decisions = {0: (Rule(default),)} | {number + 1: (Rule(default),) for number in by_number} | by_number
    if has_limit and by_number:
        decisions[max(by_number) + 1] = NOT_IMPLEMENTED
    if machine.go_name == "amd64":
        decisions[X32_BIT] = NOT_IMPLEMENTED
    return Architecture(machine.audit, decisions)
