"""`python -m dockerlab.engine VERB`: serve, ensure, start, stop, status, logs, reset, rungs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerlab.engine import control

HALF_A_DAY = 12 * 3600.0
ELSEWHERE = (
    "The practice engine runs on Linux only. On this system use Docker Desktop with DOCKERLAB_ENGINE=docker, WSL 2 on "
    "Windows, or the hosted course (binder)."
)


def main(arguments: list[str] | None = None) -> int:
    """Do one verb; 0 is good, 1 is not, with a sentence on stderr."""
    asked = _parser().parse_args(arguments)
    if sys.platform != "linux":
        print(ELSEWHERE, file=sys.stderr)  # noqa: T201
        return 1
    from dockerlab.engine import control  # noqa: PLC0415  (it needs modules that only Unix has)

    try:
        return _do(asked, control.place(asked.host, asked.state))
    except control.EngineTrouble as trouble:
        print(trouble, file=sys.stderr)  # noqa: T201
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dockerlab.engine", description=__doc__)
    parser.add_argument("verb", choices=["serve", "ensure", "start", "stop", "status", "logs", "reset", "rungs"])
    parser.add_argument("--host", help="unix:///PATH of the socket")
    parser.add_argument("--state", help="the directory of images, containers and logs")
    parser.add_argument("--isolation", help="namespaces, userns, proot or plain; the best that works without it")
    parser.add_argument("--idle", type=float, default=HALF_A_DAY, help="seconds without work after which it ends")
    return parser


def _do(asked: argparse.Namespace, where: control.Place) -> int:
    from dockerlab.engine import control  # noqa: PLC0415

    say = print
    if asked.verb == "serve":
        from dockerlab.engine.serve import serve  # noqa: PLC0415  (asyncio and h11, for this one verb)

        serve(where, asked.isolation, asked.idle)
    elif asked.verb in ("ensure", "start"):
        getattr(control, asked.verb)(where, asked.isolation, asked.idle)
        say(f"DOCKER_HOST={where.host}")
    elif asked.verb == "stop":
        say("stopped" if control.stop(where) else "it did not run")
    elif asked.verb == "status":
        told = control.status(where)
        say(json.dumps(told) if told else "it does not run")
        return 0 if told else 1
    elif asked.verb == "logs":
        say(control.logs(where))
    elif asked.verb == "rungs":
        from dockerlab.engine.processes.isolation import probe  # noqa: PLC0415

        say(json.dumps([asdict(rung) for rung in probe()]))
    else:
        say(f"removed {control.reset(where)} containers and all state")
    return 0


if __name__ == "__main__":
    sys.exit(main())
