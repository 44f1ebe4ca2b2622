"""The rungs of isolation: what separates a container from the machine. The best one that works here is used."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.common import host_programs
from dockerlab.engine.processes import capabilities, cgroups, sealed_program, seccomp

__all__ = [
    "ABILITIES",
    "HELPER_ENVIRONMENT",
    "NAMESPACES",
    "PROOT",
    "RUNGS",
    "Rung",
    "choose",
    "helper_command",
    "probe",
    "works",
]

PROBE_SECONDS = 10
HELPER_ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[3])}
#: The name of the first rung.
NAMESPACES = "namespaces"
#: The name and the program of the third rung. Its option `-0` lets programs believe that they are root.
PROOT = "proot"

#: What a rung can give to a container. The tests try each ability on each rung.
ABILITIES = {
    "root": "`/` is the container's own file tree; no other files of the machine are visible",
    "mounts": "binds and volumes are mounted where the request says",
    "mount options": "tmpfs, read-only mounts, a read-only root, masked and read-only paths in /proc and /sys",
    "namespaces": "its own processes, host name and shared memory",
    "network": "its own addresses and names, published ports",
    "capabilities": "Docker's default capabilities and no others, no-new-privileges",
    "interpreter": "no program of the engine can be reached through /proc",
    "seccomp": "Docker's default list of system calls, or a profile of your own, see seccomp(2)",
    "devices": "devices of the machine that the engine's user may use",
    "device filter": "no other devices can be opened, even if a program makes nodes for them",
    "users": "programs run as the requested user",
}

#: What `docker info` says where a machine lacks an ability that its rung has elsewhere.
WARNINGS = {
    "interpreter": "Containers can reach the interpreter's file: no sealed copy of it can run here (vm.memfd_noexec).",
    "seccomp": "System calls are not filtered: seccomp does not work here.",
    "device filter": "Device nodes do not work in containers: the engine may not make or filter them here.",
    "users": "All programs run as the same user: the engine may not use other ids here.",
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

    def warnings(self) -> list[str]:
        """Return a sentence for each ability that this machine lacks, and one that describes the rung."""
        lacking = BY_NAME[self.name].gives.keys() - self.gives.keys()
        return [*(WARNINGS[ability] for ability in ABILITIES if ability in lacking), self.sentence]


RUNGS = (
    Rung(
        NAMESPACES,
        "Containers have their own files, processes, names and network, in namespaces made by root.",
        "root",
        dict.fromkeys(ABILITIES, ""),
    ),
    Rung(
        "userns",
        "Containers have their own files, processes, names and network, in a user namespace of yours.",
        "a kernel that lets ordinary users create user namespaces",
        {
            **dict.fromkeys(ABILITIES, ""),
            "device filter": "since no program can make device nodes",
            "users": "with `newuidmap` (Debian: uidmap) and a line in /etc/subuid",
        },
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
    as long as everything else. `-P` leaves out the current directory, which may have modules of strangers.
    """
    return [sys.executable, "-P", "-S", "-m", f"dockerlab.engine.{module}", *arguments]


def works(name: str) -> bool:
    """Tell whether a rung works on this machine, by trying it."""
    return _missing_abilities(name) is not None


@functools.cache
def _missing_abilities(name: str) -> frozenset[str] | None:
    """Return which abilities of a rung this machine lacks; None if the rung does not work at all.

    A process of its own tries everything that the start of a container does.
    """
    if name == "plain":
        return frozenset()
    if name == NAMESPACES and os.geteuid() != 0:
        return None
    tracer = [shutil.which(PROOT), host_programs.find_busybox()] if name == PROOT else []
    if not all(tracer):
        return None
    output = _output_of_probe(name, *map(str, tracer))
    if output is None:
        return None
    if name == PROOT:
        return frozenset()
    missing = {*json.loads(output)}
    missing |= {"device filter"} if name == NAMESPACES and not cgroups.filters_devices() else set()
    return frozenset(missing if sealed_program.is_possible() else missing | {"interpreter"})


def _output_of_probe(*arguments: str) -> bytes | None:
    """Try a rung in a process of its own. Return what it prints, or None if the rung does not work."""
    program = seccomp.program(seccomp.BUILTIN, capabilities.names({})) if seccomp.is_available() else b""
    try:
        process = subprocess.run(  # noqa: S603  (our own module, by this same interpreter)
            helper_command("processes.shim.probe", *arguments),
            input=program, capture_output=True, timeout=PROBE_SECONDS, check=False, env=HELPER_ENVIRONMENT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if process.returncode else process.stdout


def _as_here(rung: Rung) -> Rung:
    """Return a rung as it is on this machine."""
    for ability in _missing_abilities(rung.name) or ():
        rung = rung.without(ability)
    return rung


def probe() -> list[Rung]:
    """Return the rungs that work on this machine, the best first."""
    return [_as_here(rung) for rung in RUNGS if works(rung.name)]


def choose(name: str | None = None) -> Rung:
    """Return the rung of that name, or without a name the best that works. Raise ValueError if it does not work."""
    if not name:
        return _as_here(next(rung for rung in RUNGS if works(rung.name)))
    if name not in BY_NAME:
        raise ValueError(f"There is no isolation {name!r}. Choose one of {', '.join(BY_NAME)}.")
    if not works(name):
        usable = ", ".join(rung.name for rung in probe())
        raise ValueError(f"The isolation {name!r} does not work on this machine. Choose one that does: {usable}.")
    return _as_here(BY_NAME[name])
