"""The ladder of isolation: what a container is kept apart with. Probed by really trying; the best one is used."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["RUNGS", "SHIM", "SHIM_ENVIRONMENT", "Rung", "choose", "probe", "works"]

SECONDS = 10
#: How a shim is started: without site-packages, which it does not need, and which cost as much as all the rest.
SHIM = [sys.executable, "-S", "-m", "dockerlab.engine.shim"]
SHIM_ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])}


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to keep containers apart."""

    name: str
    sentence: str


RUNGS = (
    Rung("namespaces", "Containers have their own files, processes, names and network, in namespaces made by root."),
    Rung("userns", "Containers have their own files, processes, names and network, in a user namespace of yours."),
    Rung("plain", "Containers are plain processes of yours in a directory of their own; nothing else is kept apart."),
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
        return probe()[0]
    if name not in BY_NAME:
        raise ValueError(f"There is no isolation {name!r}. There are: {', '.join(BY_NAME)}.")
    if not works(name):
        usable = ", ".join(rung.name for rung in probe())
        raise ValueError(f"The isolation {name!r} does not work here. These do: {usable}.")
    return BY_NAME[name]
