"""The `dockerlab` command line. Each command loads the module that does its work only when it runs."""

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
Exit codes: 0 success · 1 the engine or a check reports an error · 2 a wrong command line or argument ·
            3 no engine answers · 130 Ctrl-C
Variables:  DOCKERLAB_ENGINE (practice, docker, context:NAME, or an address) · DOCKER_HOST ·
            DOCKER_CONTEXT · DOCKERLAB_INSECURE · DOCKERLAB_STATE · DOCKERLAB_SOCKET ·
            DOCKERLAB_ISOLATION · NO_COLOR
"""


class _InOrder(click.Group):
    """Lists commands in the order of this file, which is the order in which a newcomer needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(dockerlab.__version__, prog_name="dockerlab", message="%(prog)s %(version)s")
def cli() -> None:
    """The Docker Engine API as a course you run.

    \b
    dockerlab lab                       open the course in JupyterLab
    dockerlab run 01                    go through a lesson in the terminal
    dockerlab doctor                    find out what works here, and how to fix the rest
    dockerlab call ContainerList        call any operation of the API and show a table
    """


# -- the course ----------------------------------------------------------------------------------------------


@cli.command(context_settings={"ignore_unknown_options": False})
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]")
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED, metavar="[-- JUPYTERLAB OPTIONS]")
@click.option("--engine", metavar="practice|docker|URL", help="The engine that the lessons use  [practice]")
@click.option("--port", type=click.IntRange(0, 65535), help="JupyterLab's port  [8888, or the next free port]")
@click.option("--no-browser", is_flag=True, help="Print the address, but open no browser.")
@click.option("--here", is_flag=True, help="Use the notebooks that are in DIR; copy nothing.")
@click.option("--fresh", is_flag=True, help="Make new copies. Notebooks that you changed move to a backup directory.")
def lab(  # noqa: PLR0913, PLR0917  (one parameter per option)
    directory: Path | None,
    jupyter: tuple[str, ...],
    engine: str | None,
    port: int | None,
    no_browser: bool,
    here: bool,
    fresh: bool,
) -> int:
    """Open the course in JupyterLab.

    Copies the notebooks to DIR (by default ./dockerlab-course). Notebooks that you have changed there are never
    overwritten.

    \b
    dockerlab lab                       open the course in ./dockerlab-course
    dockerlab lab ~/course --fresh      start again; the notebooks that you changed are kept
    dockerlab lab --engine docker       run the lessons on this machine's Docker
    dockerlab lab --port 9000 --no-browser -- --ServerApp.ip=0.0.0.0
    """
    from dockerlab.cli import jupyterlab

    folder = jupyterlab.prepare_folder(directory, here=here, fresh=fresh, say=click.echo)
    engine = jupyterlab.start_engine(engine, say=click.echo)
    return jupyterlab.run_jupyterlab(
        folder, engine=engine, port=port, browser=not no_browser, more=jupyter, say=click.echo
    )


@cli.command()
@click.argument("lesson", required=False)
@click.option("--yes", "-y", is_flag=True, help="Run all cells without waiting for Enter.")
@click.option("--engine", metavar="practice|docker|URL", help="The engine that the lesson uses  [practice]")
def run(lesson: str | None, yes: bool, engine: str | None) -> int:
    """Go through a lesson or an analysis in the terminal, step by step.

    LESSON is a number or a name: lessons are 00 to 10, analyses A1 to A5. Without it, all of them are listed.
    At each cell, press Enter to run it, type a line of Python to try something first, or type q to leave.
    The lesson's containers are always removed at the end.

    \b
    dockerlab run                       list the lessons and analyses
    dockerlab run 01
    dockerlab run logs --engine docker
    dockerlab run 05 --yes              run all cells at once
    dockerlab run A1                    an analysis reads recorded data and uses no engine
    """
    from dockerlab.cli import run_lesson

    if lesson is None:
        run_lesson.show_contents()
        return 0
    return run_lesson.run(lesson, waits=not yes, engine=engine)


# -- the machine ---------------------------------------------------------------------------------------------


@cli.command()
@click.option("--try", "trial", is_flag=True, help="Also start the practice engine and run a container in it.")
@click.option("--json", "print_json", is_flag=True, help="Print JSON: {dockerlab, ok, checks: [{name, status, …}]}.")
def doctor(trial: bool, print_json: bool) -> int:
    """Check what works on this machine, and say how to fix the rest.

    Checks Python, packages, JupyterLab, all engines, and the practice engine's isolation. Changes nothing: if --try has
    to start the practice engine, it stops it again. The exit code is 1 if something is broken that the course needs.

    \b
    dockerlab doctor
    dockerlab doctor --try
    dockerlab doctor --json
    """
    from dockerlab.cli.doctor import as_json, as_text, is_healthy, run_checks

    checks = run_checks(trial=trial)
    click.echo(as_json(checks) if print_json else as_text(checks))
    return 0 if is_healthy(checks) else 1


@cli.group(cls=_InOrder)
def engine() -> None:
    """Start, stop and inspect the practice engine.

    It starts by itself when it is needed. It keeps running until you stop it, or until it has had nothing to do for
    half a day.

    \b
    dockerlab engine start
    eval "export $(dockerlab engine start | tail -n 1)"; docker run --rm busybox echo hello
    """


def _with_engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the two options that select a practice engine."""
    state_help = "The engine's directory for images and containers."
    command = click.option("--state", type=click.Path(), metavar="DIR", help=state_help)(command)
    return click.option("--host", metavar="unix:///PATH", help="The engine's socket.")(command)


def _run_engine_command(verb: str, **options: str | None) -> int:
    """Run the practice engine's own command and return its exit code. Its stderr goes to the terminal."""
    words = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "dockerlab.engine", verb, *words]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  (our own module)
    click.echo(process.stdout, nl=False)
    return process.returncode


@engine.command()
@_with_engine_options
@click.option("--isolation", metavar="RUNG", help="namespaces, userns, proot or plain  [the strongest that works]")
def start(host: str | None, state: str | None, isolation: str | None) -> int:
    """Start the practice engine, unless it is running.

    The last line of the output is DOCKER_HOST=unix://…, for the docker command and other clients.

    \b
    dockerlab engine start
    dockerlab engine start --isolation plain
    dockerlab engine start --host unix:///tmp/two.sock --state /tmp/two
    """
    return _run_engine_command("start", host=host, state=state, isolation=isolation)


@engine.command()
@_with_engine_options
def stop(host: str | None, state: str | None) -> int:
    """Stop the practice engine.

    Its containers keep running, and it manages them again after its next start.

    \b
    dockerlab engine stop
    """
    return _run_engine_command("stop", host=host, state=state)


@engine.command()
@_with_engine_options
def status(host: str | None, state: str | None) -> int:
    """Show whether the practice engine is running, and how.

    Prints its process ID, isolation and address as JSON. The exit code is 1 if it isn't running.

    \b
    dockerlab engine status
    """
    return _run_engine_command("status", host=host, state=state)


@engine.command()
@_with_engine_options
def logs(host: str | None, state: str | None) -> int:
    """Print the last lines of the practice engine's log.

    \b
    dockerlab engine logs
    """
    return _run_engine_command("logs", host=host, state=state)


@engine.command()
@_with_engine_options
@click.option("--yes", "-y", is_flag=True, help="Don't ask for confirmation.")
def reset(host: str | None, state: str | None, yes: bool) -> int:
    """Stop the practice engine and remove all its data.

    This removes its containers, images, volumes and networks. Your notebooks stay.

    \b
    dockerlab engine reset
    """
    if not yes and sys.stdin.isatty():
        click.confirm("Remove all containers and images of the practice engine?", abort=True)
    return _run_engine_command("reset", host=host, state=state)


# -- any operation -------------------------------------------------------------------------------------------


@cli.command()
@click.argument("operation", required=False)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "parquet"]), help="The output format  [table]"
)
@click.option("--output", "-o", "output_file", type=click.Path(path_type=Path, dir_okay=False),
              help="Write to this file.")  # fmt: skip
@click.option("--columns", metavar="A,B", help="Show these columns of the table, in this order.")
@click.option("--host", metavar="practice|docker|URL", help="The engine  [the one that `dockerlab doctor` shows]")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              help="How long to wait for the engine  [60], or to read a response that has no end.")  # fmt: skip
@click.option("--list", "show_list", is_flag=True,
              help="List all operations, or those with OPERATION in their name.")  # fmt: skip
def call(operation: str | None, arguments: tuple[str, ...], show_list: bool, **options: Any) -> int:
    """Send any request of the Engine API, and show the response.

    Arguments are key=value, and the operation knows their types: all=true, t=5, filters='{"status":["exited"]}'.
    You can also write one filter as filters.status=exited, and a list as JSON or as repeated arguments: cmd=sleep
    cmd=60. A word without = is the name or id. A time is 10m (10 minutes ago), a date, or seconds since 1970.

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
    from dockerlab.cli.call import call_operation, show_operations

    if show_list or operation is None:
        show_operations(operation or "")
        return 0
    return call_operation(operation, arguments, **options)


# -- running the command -------------------------------------------------------------------------------------


def for_shell(text: str) -> str:
    """Rewrite the advice of an error from Python calls to `dockerlab call` command lines."""

    def command(match: re.Match[str]) -> str:
        from dockerlab.protocol.render import HELPERS

        operations = {helper: operation for operation, helper in HELPERS.items()}
        words = match[2].replace("True", "true").replace(",", "").replace("name", "NAME").replace("id", "ID")
        return f"dockerlab call {operations.get(match[1], match[1])} {words}".strip()

    text = text.replace('dockerlab.connect("practice")', "--host practice").replace("force=True", "force=true")
    text = text.replace("timeout=…, in connect() for all calls or in one call", "--timeout SECONDS")
    return re.sub(r"lab\.(\w+\.\w+)\(([^)]*)\)", command, text)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code. An error of the package is printed without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # the terminal's encoding may lack a character
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        code = int(cli.main(arguments, prog_name="dockerlab", standalone_mode=False) or 0)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DockerlabError as error:
        click.echo(f"dockerlab: {for_shell(str(error))}", err=True)
        return 2 if isinstance(error, ArgumentError) else 3 if isinstance(error, ConnectionFailed) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has ended; Python must not flush into it again on exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
