"""The proot rung: a tracer runs the program, and shows it the container's file tree as `/`.

The tracer itself exits with the code of whichever process ended last. So a shell, the machine's static busybox, runs
between the two and writes the program's own exit code to the descriptor EXIT_CODE_FD. In the container the shell is
bound to a path that neither the container's tree nor its layers contain.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Any

from dockerlab.engine.common.proc import children
from dockerlab.engine.common.tree import OpenTree
from dockerlab.engine.processes.shim.mount_points import open_mount_point

#: Directories of the machine that every container sees.
SHARED = ("/proc", "/sys", "/dev")
SHELL, EXIT_CODE_FD = "/proc/sh", 9
SCRIPT = (
    "trap : HUP INT QUIT TERM; exec 8>&2 2>/dev/null; unset PROOT_TMP_DIR; "
    f'(exec 2>&8 8>&- {EXIT_CODE_FD}>&-; exec "$@"); echo $? >&{EXIT_CODE_FD}'
)
PROGRAM_SECONDS, PAUSE_SECONDS = 5.0, 0.001
TEMPORARY = "/tmp"  # noqa: S108


def bindings(spec: dict[str, Any]) -> dict[str, str]:
    """Create the mount points, and return each path of the container that shows another path of the machine."""
    binds = [entry for entry in spec["mounts"] if entry["kind"] == "bind"]  # proot has no other mounts
    if not spec["container_pid"]:
        with OpenTree(spec["rootfs"]) as tree:
            for entry in binds:
                os.close(open_mount_point(tree, entry))
    return {path: path for path in SHARED} | {entry["target"]: entry["source"] for entry in binds}


def machine_path(spec: dict[str, Any], bindings: dict[str, str], path: str) -> str:
    """Return where a path of the container is on the machine, to look for a program there.

    The tracer itself works with paths, so a program in the container can change what it will find: this rung does not
    separate the container from the machine.
    """
    with OpenTree(spec["rootfs"], bindings) as tree:
        resolved, mounts = tree.resolve(os.path.join(spec["cwd"] or "/", path)), tree.mounts  # noqa: PTH118
    mount = max((target for target in mounts if f"{resolved}/".startswith(f"{target}/")), key=len, default="")
    return str(mounts.get(mount, spec["rootfs"])) + resolved.removeprefix(mount)


def prepare(spec: dict[str, Any], exit_code_fd: int) -> dict[str, str]:
    """Put the pipe for the exit code where the shell expects it, and return the tracer's environment variables."""
    os.dup2(exit_code_fd, EXIT_CODE_FD)
    os.set_inheritable(EXIT_CODE_FD, True)  # dup2 does not do so if the pipe has this number already
    return {"PROOT_TMP_DIR": os.path.dirname(spec["rootfs"])}  # noqa: PTH120


def remove_leftovers(tracer: int) -> None:
    """Remove the directory of a tracer that was killed: proot before 5.2 ignores PROOT_TMP_DIR and uses /tmp."""
    for name in os.listdir(TEMPORARY):  # noqa: PTH208
        if name.startswith(f"proot-{tracer}-"):
            with contextlib.suppress(OSError):
                os.rmdir(f"{TEMPORARY}/{name}")  # noqa: PTH106


def command(spec: dict[str, Any], bindings: dict[str, str]) -> list[str]:
    """Return the tracer's command line, which runs the program through the shell."""
    (tracer, shell), (uid, gid) = spec["tracer"], spec["user"]
    arguments = [tracer, "-v", "-1", "-r", spec["rootfs"], "-w", spec["cwd"] or "/"]
    arguments += ["-0"] if (uid, gid) == (0, 0) else ["-i", f"{uid}:{gid}"]
    for target, source in {**bindings, SHELL: shell}.items():
        arguments += ["-b", f"{source}:{target}"]
    return [*arguments, SHELL, "-c", SCRIPT, "sh", *spec["argv"]]


def program(tracer: int) -> int:
    """Wait until the program runs, and return its pid; the tracer's if the program has ended already."""
    deadline, ended = time.monotonic() + PROGRAM_SECONDS, os.pidfd_open(tracer)
    try:
        while time.monotonic() < deadline and not select.select([ended], [], [], PAUSE_SECONDS)[0]:
            shell = _first_child(tracer)
            child = shell and _first_child(shell)
            if child and _command_line(child) not in (b"", _command_line(shell)):  # it has executed the program
                return child
        return tracer
    finally:
        os.close(ended)


def _first_child(pid: int) -> int:
    return next(iter(children(pid)), 0)


def _command_line(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
