"""The rung of proot: a tracer starts the program, and shows it the container's tree of files as `/`.

Between the two stands a shell, a static busybox of this machine: the tracer itself ends with the code of whichever
process ended last, and so this shell tells the program's own, through descriptor TELL. It stands at a place that
neither the container's tree nor its layers have a trace of.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Any

from dockerlab.engine.common.paths import inside
from dockerlab.engine.processes.shim.mounts import mount_point

SHARED = ("/proc", "/sys", "/dev")
SHELL, TELL = "/proc/sh", 9
SCRIPT = (
    "trap : HUP INT QUIT TERM; exec 8>&2 2>/dev/null; unset PROOT_TMP_DIR; "
    f'(exec 2>&8 8>&- {TELL}>&-; exec "$@"); echo $? >&{TELL}'
)
SECONDS, PAUSE = 5.0, 0.001
USUAL = "/tmp"  # noqa: S108


def show(spec: dict[str, Any]) -> dict[str, str]:
    """Make the places of what is to be seen in the container's tree; give them with what stands there."""
    binds = [entry for entry in spec["mounts"] if entry["kind"] == "bind"]  # proot has no other mounts
    if not spec["beside"]:
        for entry in binds:
            mount_point(spec["rootfs"], entry)
    return {place: place for place in SHARED} | {entry["target"]: entry["source"] for entry in binds}


def place(spec: dict[str, Any], shown: dict[str, str], path: str) -> str:
    """Give a path of the container's as this machine names it."""
    return inside(spec["rootfs"], os.path.join(spec["cwd"] or "/", path), mounts=shown)  # noqa: PTH118


def prepare(spec: dict[str, Any], verdict: int) -> dict[str, str]:
    """Put the pipe for the code where the shell expects it; give what the tracer wants in its environment."""
    os.dup2(verdict, TELL)
    os.set_inheritable(TELL, True)  # if it was that number already
    return {"PROOT_TMP_DIR": os.path.dirname(spec["rootfs"])}  # noqa: PTH120


def clear(tracer: int) -> None:
    """Remove what a tracer that was killed has left: those before 5.2 put it there, whatever they are told."""
    for name in os.listdir(USUAL):  # noqa: PTH208
        if name.startswith(f"proot-{tracer}-"):
            with contextlib.suppress(OSError):
                os.rmdir(f"{USUAL}/{name}")  # noqa: PTH106


def traced(spec: dict[str, Any], shown: dict[str, str]) -> list[str]:
    """Give the tracer's command line."""
    (tracer, shell), (uid, gid) = spec["tracer"], spec["user"]
    words = [tracer, "-v", "-1", "-r", spec["rootfs"], "-w", spec["cwd"] or "/"]
    words += ["-0"] if (uid, gid) == (0, 0) else ["-i", f"{uid}:{gid}"]
    for target, source in {**shown, SHELL: shell}.items():
        words += ["-b", f"{source}:{target}"]
    return [*words, SHELL, "-c", SCRIPT, "sh", *spec["argv"]]


def program(tracer: int) -> int:
    """Wait until the program has begun; give its pid, or the tracer's if all is over already."""
    until, ended = time.monotonic() + SECONDS, os.pidfd_open(tracer)
    try:
        while time.monotonic() < until and not select.select([ended], [], [], PAUSE)[0]:
            shell = _child(tracer)
            found = shell and _child(shell)
            if found and _words(found) not in (b"", _words(shell)):
                return found
        return tracer
    finally:
        os.close(ended)


def _child(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
            return int((file.read().split() or ["0"])[0])
    except OSError:
        return 0


def _words(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
