"""Runs the programs that the engine gives to the kernel: classic BPF for system calls, eBPF for devices."""

from __future__ import annotations

import struct

__all__ = ["filter_call", "filter_device"]

CLASSIC = struct.Struct("=HBBI")
EXTENDED = struct.Struct("=BBhi")


def filter_call(program: bytes, number: int, audit: int, *arguments: int) -> int:
    """Return the action that a seccomp program returns for a system call."""
    data = struct.pack("=IIQ6Q", number, audit, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    instructions = list(CLASSIC.iter_unpack(program))
    accumulator, position = 0, 0
    while True:
        operation, if_true, if_false, constant = instructions[position]
        position += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, constant)
        elif operation == 0x54:
            accumulator &= constant
        elif operation == 0x05:
            position += constant
        elif operation == 0x06:
            return int(constant)
        else:
            holds = {
                0x15: accumulator == constant,
                0x25: accumulator > constant,
                0x35: accumulator >= constant,
            }[operation]
            position += if_true if holds else if_false


def filter_device(program: bytes, kind: str, major: int, minor: int, access: str) -> bool:
    """Return whether an eBPF program of a control group allows an access (`r`, `w`, `m`) to a device."""
    first = {"b": 1, "c": 2}[kind] | sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access) << 16
    memory = {0: first, 4: major, 8: minor}
    registers, position = [0] * 11, 0
    instructions = list(EXTENDED.iter_unpack(program))
    while True:
        operation, packed, offset, constant = instructions[position]
        target, source = packed & 15, packed >> 4
        position += 1
        if operation == 0x95:
            return bool(registers[0])
        if operation == 0x61:
            assert source == 1
            registers[target] = memory[offset]
        elif operation == 0xBF:
            registers[target] = registers[source]
        elif operation == 0xB7:
            registers[target] = constant
        elif operation == 0x57:
            registers[target] &= constant
        elif operation == 0x77:
            registers[target] >>= constant
        else:
            assert operation == 0x55
            position += offset if registers[target] != constant else 0
