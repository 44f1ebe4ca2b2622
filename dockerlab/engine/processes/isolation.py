"""The rungs of isolation: what separates a container from the machine. The best one that works here is used."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.common import host_programs

__all__ = ["ABILITIES", "HELPER_ENVIRONMENT", "PROOT", "RUNGS", "Rung", "choose", "helper_command", "probe", "works"]

PROBE_SECONDS = 10
HELPER_ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[3])}
#: The program of the third rung. Its option `-0` lets programs believe that they are root.
PROOT = "proot"

#: What a rung can give to a container. The tests try each ability on each rung.
ABILITIES = {
    "root": "`/` is the container's own file tree; no other files of the machine are visible",
    "mounts": "binds and volumes are mounted where the request says",
    "mount options": "tmpfs, read-only mounts, a read-only root, masked and read-only paths in /proc and /sys",
    "namespaces": "its own processes, host name and shared memory",
    "network": "its own addresses and names, published ports",
    "capabilities": "Docker's default capabilities and no others, no-new-privileges",
    "devices": "devices of the machine that the engine's user may use",
    "users": "programs run as the requested user",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to isolate containers; `gives` maps each ability that it has to a remark, often an empty one."""

    name: str
    sentence: str
    needs: str
    gives: dict[str, str]

    def without(self, ability: str) -> Rung:
        """Return this rung as it is on a machine where it lacks an ability."""
        gives = {name: remark for name, remark in self.gives.items() if name != ability}
        return Rung(self.name, self.sentence, self.needs, gives)


RUNGS = (
    Rung(
        "namespaces",
        "Containers have their own files, processes, names and network, in namespaces made by root.",
        "root",
        dict.fromkeys(ABILITIES, ""),
    ),
    Rung(
        "userns",
        "Containers have their own files, processes, names and network, in a user namespace of yours.",
        "a kernel that lets ordinary users create user namespaces",
        {**dict.fromkeys(ABILITIES, ""), "users": "with `newuidmap` (Debian: uidmap) and a line in /etc/subuid"},
    ),
    Rung(
        "proot",
        "Containers are processes of yours. proot shows them their own files; nothing else is isolated.",
        "the program `proot`, a static busybox, and a kernel that allows tracing processes",
        {
            "root": "except /proc, /sys and /dev, which are the machine's",
            "mounts": "always writable",
            "users": "in the program's view; the files that it creates are yours",
        },
    ),
    Rung(
        "plain",
        "Containers are plain processes of yours, each in its own directory; nothing else is isolated.",
        "nothing",
        {},
    ),
)
BY_NAME = {rung.name: rung for rung in RUNGS}


def helper_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of the engine as a helper process: the shim, the spawner, the switch.

    Start it with HELPER_ENVIRONMENT. `-S` leaves out site-packages: no helper needs them, and loading them would take
    as long as everything else.
    """
    return [sys.executable, "-S", "-m", f"dockerlab.engine.{module}", *arguments]


@functools.cache
def works(name: str) -> bool:
    """Tell whether a rung works on this machine, by trying it in a process of its own."""
    if name == "plain":
        return True
    if name == "namespaces" and os.geteuid() != 0:
        return False
    arguments = ["--probe", name]
    if name == PROOT:
        tracer, shell = shutil.which(PROOT), host_programs.find_busybox()
        if not tracer or not shell:
            return False
        arguments += [tracer, shell]
    try:
        process = subprocess.run(  # noqa: S603  (our own module, by this same interpreter)
            helper_command("processes.shim", *arguments),
            capture_output=True, timeout=PROBE_SECONDS, check=False, env=HELPER_ENVIRONMENT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return process.returncode == 0


def probe() -> list[Rung]:
    """Return the rungs that work on this machine, the best first."""
    return [rung for rung in RUNGS if works(rung.name)]


def choose(name: str | None = None) -> Rung:
    """Return the rung of that name, or without a name the best that works. Raise ValueError if it does not work."""
    if not name:
        return next(rung for rung in RUNGS if works(rung.name))
    if name not in BY_NAME:
        raise ValueError(f"There is no isolation {name!r}. Choose one of {', '.join(BY_NAME)}.")
    if not works(name):
        usable = ", ".join(rung.name for rung in probe())
        raise ValueError(f"The isolation {name!r} does not work on this machine. Choose one that does: {usable}.")
    return BY_NAME[name]
