"""The ladder of isolation: what a container is kept apart with. Probed by really trying; the best one is used."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.common import host_programs

__all__ = ["ABILITIES", "PROOT", "RUNGS", "SHIM", "SHIM_ENVIRONMENT", "Rung", "choose", "probe", "works"]

SECONDS = 10
#: How a shim is started: without site-packages, which it does not need, and which cost as much as all the rest.
SHIM = [sys.executable, "-S", "-m", "dockerlab.engine.processes.shim"]
SHIM_ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[3])}
#: The program of the third rung; `-0` lets programs believe that they are root.
PROOT = "proot"

#: What a rung may give to a container. The tests try each of them on each rung.
ABILITIES = {
    "root": "`/` is the container's own tree of files; nothing else of the machine's files is in it",
    "mounts": "binds and volumes stand where they were asked for",
    "mount options": "tmpfs, read-only mounts, a read-only root, hidden and read-only places in /proc and /sys",
    "namespaces": "processes, host name and shared memory of its own",
    "network": "addresses and names of its own, published ports",
    "capabilities": "Docker's capabilities and no others, no-new-privileges",
    "devices": "devices of this machine, where its user may use them",
    "users": "programs run as the user who was asked for",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to keep containers apart; `gives` names its abilities, with what is to be said of some."""

    name: str
    sentence: str
    needs: str
    gives: dict[str, str]

    def without(self, ability: str) -> Rung:
        """Give the same rung, on a machine where it lacks an ability."""
        gives = {name: note for name, note in self.gives.items() if name != ability}
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
        "a kernel that lets ordinary users make user namespaces",
        {**dict.fromkeys(ABILITIES, ""), "users": "with `newuidmap` (Debian: uidmap) and a line in /etc/subuid"},
    ),
    Rung(
        "proot",
        "Containers are processes of yours which proot shows files of their own; nothing else is kept apart.",
        "the program `proot`, a static busybox, and a kernel that lets processes be traced",
        {
            "root": "but for /proc, /sys and /dev, which are the machine's",
            "mounts": "always writable",
            "users": "as programs see it: the files that they make are yours",
        },
    ),
    Rung(
        "plain",
        "Containers are plain processes of yours in a directory of their own; nothing else is kept apart.",
        "nothing",
        {},
    ),
)
BY_NAME = {rung.name: rung for rung in RUNGS}


@functools.cache
def works(name: str) -> bool:
    """Try a rung, in a process of its own."""
    if name == "plain":
        return True
    if name == "namespaces" and os.geteuid() != 0:
        return False
    command = [*SHIM, "--probe", name]
    if name == PROOT:
        tracer, shell = shutil.which(PROOT), host_programs.find()
        if not tracer or not shell:
            return False
        command += [tracer, shell]
    try:
        ran = subprocess.run(  # noqa: S603  (our own module, by this same interpreter)
            command, capture_output=True, timeout=SECONDS, check=False, env=SHIM_ENVIRONMENT
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0


def probe() -> list[Rung]:
    """Give the rungs that work here, the best first."""
    return [rung for rung in RUNGS if works(rung.name)]


def choose(name: str | None = None) -> Rung:
    """Give the rung to use: the one asked for, or the best that works. Raises ValueError for one that does not."""
    if not name:
        return next(rung for rung in RUNGS if works(rung.name))
    if name not in BY_NAME:
        raise ValueError(f"There is no isolation {name!r}. There are: {', '.join(BY_NAME)}.")
    if not works(name):
        usable = ", ".join(rung.name for rung in probe())
        raise ValueError(f"The isolation {name!r} does not work here. These do: {usable}.")
    return BY_NAME[name]
