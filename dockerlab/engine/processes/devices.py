"""Which devices a container may open: the rules of its control group, for both versions of the kernel's interface.

A rule allows everything that it names and no rule forbids anything, so their order does not matter. In version 1
the rules are lines of text; in version 2 they are an eBPF program that the kernel runs each time a device is opened,
see cgroups(7) and bpf(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import re
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import syscall_numbers

__all__ = ["DEFAULT_RULES", "DeviceRule", "allow", "device_program", "requested_devices", "rules"]

ANY, HIGHEST_NUMBER = -1, 0x7FFFFFFF
RULE = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
RULE_KEYS = ("kind", "major", "minor", "access")
#: A request may name any directory, and nobody else is served while its devices are looked for.
MOST_FILES = 5000
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """Devices of a kind (`b`, `c`, or `a` for both), and what is allowed: `r` read, `w` write, `m` make a node."""

    kind: str
    major: int
    minor: int
    access: str

    def __str__(self) -> str:
        """Return the rule as a line for version 1."""
        numbers = ["*" if number == ANY else str(number) for number in (self.major, self.minor)]
        return f"{self.kind} {':'.join(numbers)} {self.access}"


#: What every container may do, as in Docker: make nodes of any device, but open only these.
DEFAULT_RULES = (
    DeviceRule("c", ANY, ANY, "m"),
    DeviceRule("b", ANY, ANY, "m"),
    *(DeviceRule("c", 1, minor, "rwm") for minor in (3, 5, 7, 8, 9)),  # null, zero, full, random, urandom
    *(DeviceRule("c", 5, minor, "rwm") for minor in (0, 1, 2)),  # tty, console, ptmx
    DeviceRule("c", 136, ANY, "rwm"),  # terminals
    DeviceRule("c", 10, 200, "rwm"),  # net/tun
)


def rules(host: Document) -> list[DeviceRule]:
    """Return the rules of a container with this HostConfig; none if it may open everything. Raises Fault."""
    if host.get("Privileged"):
        return []
    requested = [
        DeviceRule(*(device[key] for key in RULE_KEYS)) for device in requested_devices(host) if device["access"]
    ]
    return [*DEFAULT_RULES, *requested, *map(_parse, host.get("DeviceCgroupRules") or [])]


def _parse(text: str) -> DeviceRule:
    match = RULE.fullmatch(text)
    if not match:
        raise Fault(f"invalid device cgroup rule format: '{text}'")
    kind, *numbers, access = match.groups()
    major, minor = (ANY if number == "*" else int(number) for number in numbers)
    if max(major, minor) > HIGHEST_NUMBER:
        raise Fault(f"invalid {'major' if major > minor else 'minor'} value in device cgroup rule format: '{text}'")
    return DeviceRule(kind, major, minor, access)


# -- devices that a request names ----------------------------------------------------------------------------


def requested_devices(host: Document) -> list[Document]:
    """Return the devices of `HostConfig.Devices`, with what is needed to make a node of each. Raises Fault."""
    return [device for mapping in host.get("Devices") or [] for device in _mapped_devices(mapping)]


def _mapped_devices(mapping: Document) -> list[Document]:
    """Return the device that a mapping names, or all devices below the directory that it names."""
    source = str(mapping.get("PathOnHost") or "")
    target, access = mapping.get("PathInContainer") or source, mapping.get("CgroupPermissions") or "rwm"
    access = "".join(letter for letter in access if letter in ACCESS_BITS)
    reason = "not a device node"
    try:
        if not source or "\0" in source:
            raise FileNotFoundError(errno.ENOENT, "no such file or directory")
        place = os.path.realpath(source, strict=True)
        devices = [_device(name, target + name[len(place) :], access) for name in _files(place)]
    except OSError as error:
        devices, reason = [], (error.strerror or str(error)).lower()
    if not any(devices):
        raise Fault(f'error gathering device information while adding custom device "{source}": {reason}')
    return [device for device in devices if device]


def _files(place: str) -> Iterator[str]:
    """Yield all files below a directory, or the file itself; what can't be read or is too deep is left out.

    Raise OSError if there are too many.
    """
    places, count = [place], 0
    while places:
        count += 1
        if count > MOST_FILES:
            raise OSError(errno.E2BIG, "too many files in the directory")
        path = places.pop()
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(os.lstat(path).st_mode):
                places += sorted(map(str, Path(path).iterdir()), reverse=True)
            else:
                yield path


def _device(source: str, target: str, access: str) -> Document:
    """Return what is needed to make a node of a device, and its rule; {} for another file."""
    try:
        status = os.lstat(source)
    except OSError:  # it has just been removed
        return {}
    if not stat.S_ISCHR(status.st_mode) and not stat.S_ISBLK(status.st_mode):
        return {}
    return {
        "source": source,
        "target": target,
        "kind": "c" if stat.S_ISCHR(status.st_mode) else "b",
        "major": os.major(status.st_rdev),
        "minor": os.minor(status.st_rdev),
        "mode": stat.S_IMODE(status.st_mode),
        "owner": [status.st_uid, status.st_gid],
        "access": access,
    }


# -- control groups ------------------------------------------------------------------------------------------


def allow(version: int, group: Path, allowed: Iterable[DeviceRule]) -> None:
    """Let the processes of a group use these devices and no others. Raise OSError if the kernel refuses."""
    (_allow_v1 if version == 1 else _allow_v2)(group, allowed)


def _allow_v1(group: Path, allowed: Iterable[DeviceRule]) -> None:
    for name, lines in (("devices.deny", ["a"]), ("devices.allow", map(str, allowed))):
        descriptor = os.open(group / name, os.O_WRONLY)  # it exists, if this is a group
        try:
            for line in lines:
                os.write(descriptor, line.encode())  # one rule per write
        finally:
            os.close(descriptor)


# -- control groups, version 2 -------------------------------------------------------------------------------

PROG_LOAD, PROG_ATTACH = 5, 8
TYPE_CGROUP_DEVICE, ATTACH_CGROUP_DEVICE, ALLOW_MULTI = 15, 6, 2
LOAD_WORD, MOVE_REGISTER, MOVE, AND, SHIFT_RIGHT = 0x61, 0xBF, 0xB7, 0x57, 0x77
IF_DIFFERENT, EXIT = 0x55, 0x95
#: Registers: the result, the kernel's struct bpf_cgroup_dev_ctx, and the values that are read from it.
RESULT, CONTEXT, KIND, ACCESS, MAJOR, MINOR, SCRATCH = range(7)
#: Numbers in the struct: the kind in the lower half of the first word, the access in the upper one.
KINDS = {"b": 1, "c": 2}
ACCESS_BITS = {"m": 1, "r": 2, "w": 4}


def _allow_v2(group: Path, allowed: Iterable[DeviceRule]) -> None:
    instructions = device_program(allowed)
    code = ctypes.create_string_buffer(instructions, len(instructions))
    license_text = ctypes.create_string_buffer(b"MIT")
    attributes = struct.pack(
        "=IIQQ", TYPE_CGROUP_DEVICE, len(instructions) // 8, ctypes.addressof(code), ctypes.addressof(license_text)
    )
    program = _bpf(PROG_LOAD, attributes)
    try:
        directory = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _bpf(PROG_ATTACH, struct.pack("=IIII", directory, program, ATTACH_CGROUP_DEVICE, ALLOW_MULTI))
        finally:
            os.close(directory)
    finally:
        os.close(program)


def device_program(allowed: Iterable[DeviceRule]) -> bytes:
    """Return the eBPF program of a list of rules: it returns 1 if one of them allows the access, else 0."""
    program = _instruction(LOAD_WORD, ACCESS, CONTEXT) + _instruction(LOAD_WORD, MAJOR, CONTEXT, 4)
    program += _instruction(LOAD_WORD, MINOR, CONTEXT, 8) + _instruction(MOVE_REGISTER, KIND, ACCESS)
    program += _instruction(AND, KIND, value=0xFFFF) + _instruction(SHIFT_RIGHT, ACCESS, value=16)
    for rule in allowed:
        program += _rule_instructions(rule)
    return program + _instruction(MOVE, RESULT, value=0) + _instruction(EXIT)


def _rule_instructions(rule: DeviceRule) -> bytes:
    """Return the instructions that end the program with 1 if a rule allows the access, and skip it otherwise."""
    code = _instruction(MOVE, RESULT, value=1) + _instruction(EXIT)
    forbidden = sum(bit for letter, bit in ACCESS_BITS.items() if letter not in rule.access)
    for register, number in ((MINOR, rule.minor), (MAJOR, rule.major), (KIND, KINDS.get(rule.kind, ANY))):
        if number != ANY:
            code = _instruction(IF_DIFFERENT, register, skip=len(code) // 8, value=number) + code
    if forbidden:
        code = _instruction(IF_DIFFERENT, SCRATCH, skip=len(code) // 8, value=0) + code
        code = _instruction(AND, SCRATCH, value=forbidden) + code
        code = _instruction(MOVE_REGISTER, SCRATCH, ACCESS) + code
    return code


def _instruction(operation: int, target: int = 0, source: int = 0, skip: int = 0, value: int = 0) -> bytes:
    return struct.pack("=BBhi", operation, target | source << 4, skip, value)


def _bpf(command: int, attributes: bytes) -> int:
    """Call bpf(2), for which the C library has no function."""
    numbers = syscall_numbers.AARCH64 if platform.machine() == "aarch64" else syscall_numbers.X86_64
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result: int = libc.syscall(numbers["bpf"], command, buffer, len(buffer))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"bpf: {os.strerror(number)}")
    return result
