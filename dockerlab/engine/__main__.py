"""`python -m dockerlab.engine VERB`: serve, ensure, start, stop, status, logs, reset, rungs, report."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerlab.engine import control

VERBS = ["serve", "ensure", "start", "stop", "status", "logs", "reset", "rungs", "report"]
IDLE_SECONDS = 12 * 3600.0
LINUX_ONLY = (
    "The practice engine runs on Linux only. On this system use Docker Desktop with DOCKERLAB_ENGINE=docker, WSL 2 on "
    "Windows, or the hosted course (binder)."
)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. Return 0, or 1 with the reason on stderr."""
    options = _parser().parse_args(arguments)
    if sys.platform != "linux":
        print(LINUX_ONLY, file=sys.stderr)  # noqa: T201
        return 1
    from dockerlab.engine import control  # noqa: PLC0415  (it imports modules that only Unix has)

    try:
        return _run(options, control.find_paths(options.host, options.state))
    except control.ControlError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dockerlab.engine", description=__doc__)
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--host", help="address of the socket: unix:///PATH")
    parser.add_argument("--state", help="directory for images, containers and logs")
    parser.add_argument(
        "--isolation", help="namespaces, userns, proot or plain; by default the strongest that works here"
    )
    parser.add_argument(
        "--idle", type=float, default=IDLE_SECONDS, help="stop after so many seconds without requests and containers"
    )
    return parser


def _run(options: argparse.Namespace, paths: control.EnginePaths) -> int:
    from dockerlab.engine import control  # noqa: PLC0415  (as above)

    show = print
    if options.verb == "serve":
        from dockerlab.engine.serve import serve  # noqa: PLC0415  (only this verb needs asyncio and h11)

        serve(paths, options.isolation, options.idle)
    elif options.verb in ("ensure", "start"):
        action = control.ensure if options.verb == "ensure" else control.start
        action(paths, options.isolation, options.idle)
        show(f"DOCKER_HOST={paths.host}")
    elif options.verb == "stop":
        show("stopped" if control.stop(paths) else "no engine was running")
    elif options.verb == "status":
        status = control.status(paths)
        show(json.dumps(status) if status else "no engine is running")
        return 0 if status else 1
    elif options.verb == "logs":
        show(control.logs(paths))
    elif options.verb == "rungs":
        from dockerlab.engine.processes.isolation import probe  # noqa: PLC0415  (it tries every rung)

        show(json.dumps([asdict(rung) for rung in probe()]))
    elif options.verb == "report":
        show(json.dumps(control.report(paths)))
    else:
        show(f"removed {control.reset(paths)} containers and all state")
    return 0


if __name__ == "__main__":
    sys.exit(main())
