"""The `dockerlab` command. Each verb is a few lines over the room that does its work, loaded when it is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import dockerlab
from dockerlab.errors import ArgumentError, ConnectionFailed, DockerlabError

__all__ = [
    "call",
    "cli",
    "doctor",
    "engine",
    "for_shell",
    "lab",
    "logs",
    "main",
    "reset",
    "run",
    "start",
    "status",
    "stop",
]

INTERRUPTED = 130
EPILOG = """\b
Exit codes: 0 it went well · 1 the engine, or a check, says no · 2 a wrong command line or argument ·
            3 no engine answers · 130 Ctrl-C
Settings:   DOCKERLAB_ENGINE (practice, docker, context:NAME, or an address) · DOCKER_HOST ·
            DOCKER_CONTEXT · DOCKERLAB_INSECURE · DOCKERLAB_STATE · DOCKERLAB_SOCKET ·
            DOCKERLAB_ISOLATION · NO_COLOR
"""


class _InOrder(click.Group):
    """Lists commands in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(dockerlab.__version__, prog_name="dockerlab", message="%(prog)s %(version)s")
def cli() -> None:
    """The Docker Engine API as a course you run.

    \b
    dockerlab lab                       open the course in JupyterLab
    dockerlab run 01                    or go through a lesson here, in the terminal
    dockerlab doctor                    something is wrong? what is here, and what to do
    dockerlab call ContainerList        any operation of the API, as a table
    """


# -- the course ----------------------------------------------------------------------------------------------


@cli.command(context_settings={"ignore_unknown_options": False})
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]")
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED, metavar="[-- JUPYTERLAB OPTIONS]")
@click.option("--engine", metavar="practice|docker|URL", help="The engine of the lessons  [practice]")
@click.option("--port", type=click.IntRange(0, 65535), help="JupyterLab's port  [8888, or the next that is free]")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--here", is_flag=True, help="Use the notebooks in DIR as they are; copy nothing.")
@click.option("--fresh", is_flag=True, help="New copies; those that you changed move into a directory beside.")
def lab(  # noqa: PLR0913, PLR0917  (a command has as many options as it has)
    directory: Path | None,
    jupyter: tuple[str, ...],
    engine: str | None,
    port: int | None,
    no_browser: bool,
    here: bool,
    fresh: bool,
) -> int:
    """Open the course in JupyterLab.

    A copy of the notebooks goes into DIR (./dockerlab-course). What you have changed there is never overwritten.

    \b
    dockerlab lab                       the course in ./dockerlab-course
    dockerlab lab ~/course --fresh      begin anew; your own copies are kept beside
    dockerlab lab --engine docker       the lessons use this machine's Docker
    dockerlab lab --port 9000 --no-browser -- --ServerApp.ip=0.0.0.0
    """
    from dockerlab.cli import jupyterlab  # noqa: PLC0415

    folder = jupyterlab.prepare(directory, here=here, fresh=fresh, say=click.echo)
    chosen = jupyterlab.engine(engine, say=click.echo)
    return jupyterlab.serve(folder, engine=chosen, port=port, browser=not no_browser, more=jupyter, say=click.echo)


@cli.command()
@click.argument("lesson", required=False)
@click.option("--yes", "-y", is_flag=True, help="Run through without waiting for Enter.")
@click.option("--engine", metavar="practice|docker|URL", help="The lesson's engine  [practice]")
def run(lesson: str | None, yes: bool, engine: str | None) -> int:
    """Go through a lesson or an analysis in the terminal, step by step.

    LESSON is a number or a name; without it all are listed: lessons 00 to 10, analyses A1 to A5. Enter runs a cell; a
    line of Python is run beforehand; q leaves. The lesson's containers are removed at the end, however it ends.

    \b
    dockerlab run                       what there is to run
    dockerlab run 01
    dockerlab run logs --engine docker
    dockerlab run 05 --yes              all of it at once
    dockerlab run A1                    an analysis: it reads what was recorded, and asks no engine
    """
    from dockerlab.cli import run_lesson  # noqa: PLC0415

    if lesson is None:
        run_lesson.contents()
        return 0
    return run_lesson.run(lesson, waits=not yes, engine=engine)


# -- the machine ---------------------------------------------------------------------------------------------


@cli.command()
@click.option("--try", "trial", is_flag=True, help="Also start the practice engine and run a container in it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: {dockerlab, ok, checks: [{name, status, …}]}.")
def doctor(trial: bool, as_json: bool) -> int:
    """Say what is here, what works, and what to do about the rest.

    Looks at Python, packages, JupyterLab, the engines and the practice engine's isolation. Changes nothing; --try
    leaves the practice engine as it was. The exit code is 1 if something is broken that the course needs.

    \b
    dockerlab doctor
    dockerlab doctor --try
    dockerlab doctor --json
    """
    from dockerlab.cli import doctor as room  # noqa: PLC0415

    checks = room.examine(trial=trial)
    click.echo(room.as_json(checks) if as_json else room.as_text(checks))
    return 0 if room.well(checks) else 1


@cli.group(cls=_InOrder)
def engine() -> None:
    """Start, stop and look at the practice engine.

    It starts by itself when it is needed, and runs on until you stop it or it has nothing to do for half a day.

    \b
    dockerlab engine start
    eval "export $(dockerlab engine start | tail -n 1)"; docker run --rm busybox echo hello
    """


def _places(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the two options that say which practice engine is meant."""
    command = click.option("--state", type=click.Path(), metavar="DIR", help="Its directory of images and containers.")(
        command
    )
    return click.option("--host", metavar="unix:///PATH", help="Its socket.")(command)


def _engine(verb: str, **options: str | None) -> subprocess.CompletedProcess[str]:
    """Ask the practice engine's own command; its words on stderr go to the terminal."""
    words = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "dockerlab.engine", verb, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  (our own module)


def _passed_on(verb: str, **options: str | None) -> int:
    ran = _engine(verb, **options)
    click.echo(ran.stdout, nl=False)
    return ran.returncode


@engine.command()
@_places
@click.option("--isolation", metavar="RUNG", help="namespaces, userns, proot or plain  [the best that works]")
def start(host: str | None, state: str | None, isolation: str | None) -> int:
    """Start it, or find that it runs. The last line is DOCKER_HOST=unix://…

    \b
    dockerlab engine start
    dockerlab engine start --isolation plain
    dockerlab engine start --host unix:///tmp/two.sock --state /tmp/two
    """
    return _passed_on("start", host=host, state=state, isolation=isolation)


@engine.command()
@_places
def stop(host: str | None, state: str | None) -> int:
    """Stop it. Its containers run on, and it finds them again when it starts.

    \b
    dockerlab engine stop
    """
    return _passed_on("stop", host=host, state=state)


@engine.command()
@_places
def status(host: str | None, state: str | None) -> int:
    """Say whether it runs, with which isolation; the exit code is 1 if it doesn't.

    \b
    dockerlab engine status
    """
    return _passed_on("status", host=host, state=state)


@engine.command()
@_places
def logs(host: str | None, state: str | None) -> int:
    """Print the last lines of its log.

    \b
    dockerlab engine logs
    """
    return _passed_on("logs", host=host, state=state)


@engine.command()
@_places
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
def reset(host: str | None, state: str | None, yes: bool) -> int:
    """Stop it, end its containers, and remove all that it keeps. Your notebooks stay.

    \b
    dockerlab engine reset
    """
    if not yes and sys.stdin.isatty():
        click.confirm("Remove all containers and images of the practice engine?", abort=True)
    return _passed_on("reset", host=host, state=state)


# -- any operation -------------------------------------------------------------------------------------------


@cli.command()
@click.argument("operation", required=False)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv", "parquet"]), help="[table]")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write into a file.")
@click.option("--columns", metavar="A,B", help="These columns of the table, in this order.")
@click.option("--host", metavar="practice|docker|URL", help="The engine  [what `dockerlab doctor` says]")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              help="Longest wait for the engine  [60]; for what has no end: how long to read.")  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="List the operations, or those with OPERATION in their name.")
def call(operation: str | None, arguments: tuple[str, ...], listed: bool, **options: Any) -> int:
    """Make any request of the Engine API, and show its answer.

    Arguments are key=value, typed by the operation: all=true, t=5, filters='{"status":["exited"]}'. The same
    filter is also filters.status=exited; a list is JSON or repeated: cmd=sleep cmd=60. A word without = is the
    name or id. Times are 10m (so long ago), a date, or seconds.

    \b
    dockerlab call --list Container
    dockerlab call ContainerList --list
    dockerlab call ContainerList all=true
    dockerlab call ContainerList all=true --format json
    dockerlab call ContainerList filters.label=team=web --columns name,state
    dockerlab call ContainerLogs web tail=5 timestamps=true
    dockerlab call ContainerLogs web follow=true --timeout 10
    dockerlab call ContainerCreate image=busybox name=nap cmd='["sleep","60"]' host_config.Init=true
    dockerlab call ContainerExport web -o web.tar
    dockerlab call ImageList --format parquet -o images.parquet
    """
    from dockerlab.cli import call as asking  # noqa: PLC0415

    if listed or operation is None:
        asking.listing(operation or "")
        return 0
    return asking.call(operation, arguments, **options)


# -- beginning and end ---------------------------------------------------------------------------------------


def _complain(text: str) -> None:
    click.echo(f"dockerlab: {for_shell(text)}", err=True)


def for_shell(text: str) -> str:
    """Say in a terminal's words what an error advises in Python's."""

    def command(found: re.Match[str]) -> str:
        from dockerlab.protocol.render import HELPERS  # noqa: PLC0415  (only for an error)

        names = {helper: operation for operation, helper in HELPERS.items()}
        words = found[2].replace("True", "true").replace(",", "").replace("name", "NAME").replace("id", "ID")
        return f"dockerlab call {names.get(found[1], found[1])} {words}".strip()

    text = text.replace('dockerlab.connect("practice")', "--host practice").replace("force=True", "force=true")
    text = text.replace("timeout=…, in connect() for all calls or in one call", "--timeout SECONDS")
    return re.sub(r"lab\.(\w+\.\w+)\(([^)]*)\)", command, text)


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and give its exit code: no error of ours ends in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")  # a terminal that can't say it
    try:
        code = int(cli.main(arguments, prog_name="dockerlab", standalone_mode=False) or 0)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DockerlabError as error:
        _complain(str(error))
        return 2 if isinstance(error, ArgumentError) else 3 if isinstance(error, ConnectionFailed) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # who reads has read enough; and Python must not write to it again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
