"""`python -m dockerlab.engine.report`: what the practice engine can do on this machine, as JSON. Starts nothing.

It is what `dockerlab doctor` asks; everything in it was tried, not guessed.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from dockerlab.engine import control
from dockerlab.engine.common import host_programs
from dockerlab.engine.images import host_image
from dockerlab.engine.processes import isolation

__all__ = ["report"]

OTHERS = 0o077


def report() -> dict[str, Any]:
    """Look around: the system, the rungs, the base image, the places, and whether an engine runs."""
    where = control.place()
    return {
        "linux": sys.platform == "linux",
        "rungs": [
            {"name": rung.name, "sentence": rung.sentence, "works": isolation.works(rung.name)}
            for rung in isolation.RUNGS
        ],
        "asked": os.environ.get("DOCKERLAB_ISOLATION", ""),
        "busybox": host_programs.find_busybox(),
        "host_binaries": host_image.possible(),
        "state": _directory(where.state),
        "sockets": _directory(where.socket.parent),
        "socket": str(where.socket),
        "log": str(where.log),
        "running": control.status(where),
        "answers": control.answers(where),
    }


def _directory(path: Path) -> dict[str, Any]:
    """Look at a directory that is to be this user's alone; one that isn't there must be makeable."""
    try:
        info = path.stat()
    except FileNotFoundError:
        above = next(one for one in path.parents if one.exists())
        fault = "" if os.access(above, os.W_OK | os.X_OK) else f"{above} can't be written"
        return {"path": str(path), "there": False, "mode": "", "fault": fault}
    except OSError as error:
        return {"path": str(path), "there": True, "mode": "", "fault": error.strerror or str(error)}
    fault = ""
    if not stat.S_ISDIR(info.st_mode):
        fault = "it is no directory"
    elif info.st_uid != os.getuid():
        fault = "it belongs to somebody else"
    elif not os.access(path, os.W_OK | os.X_OK):
        fault = "it can't be written"
    elif info.st_mode & OTHERS and path.name == "dockerlab":
        fault = "others may look into it"
    return {"path": str(path), "there": True, "mode": f"{stat.S_IMODE(info.st_mode):04o}", "fault": fault}


if __name__ == "__main__":
    json.dump(report(), sys.stdout)
