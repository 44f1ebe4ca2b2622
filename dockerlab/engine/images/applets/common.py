"""What both applets share: the name that `ps` shows, and error messages."""

import os
import sys


def set_process_name(name):
    """Make `ps` show `name` and the arguments in place of the interpreter, as with the real busybox."""
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
        return  # the applet also works under the interpreter's name


def fail(name, message, code=1):
    """Write an error message as busybox does, and exit."""
    sys.stderr.write(f"{name}: {message}\n")
    sys.exit(code)
