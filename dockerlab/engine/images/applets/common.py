"""What both applets do: look like the program that they stand for."""

import os
import sys


def look_like(name):
    """Make `ps` show `name` and the arguments, not the interpreter: busybox's own line, on every machine."""
    words = [name, *sys.argv[1:]]
    with open("/proc/self/stat") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    line = b"\0".join(os.fsencode(word) for word in words) + b"\0"
    line = line[: end - start - 1].ljust(end - start, b"\0")
    try:
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123
            memory.seek(start)
            memory.write(line)
        with open("/proc/self/comm", "w") as file:  # noqa: PTH123
            file.write(name)
    except OSError:
        return  # it works as well under its own name


def fail(name, text, code=1):
    """Say what is wrong, as busybox does, and end."""
    sys.stderr.write(f"{name}: {text}\n")
    sys.exit(code)
