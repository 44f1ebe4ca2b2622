"""The `dockerlab` command. Each verb loads what it needs when it is used, so that `--help` is there at once."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from dockerlab import __version__
from dockerlab.errors import DockerlabError, printable

__all__ = ["main"]

EXAMPLES = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Plain(click.Group):
    """Our own errors are a sentence on stderr and exit code 1, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except DockerlabError as error:
            click.echo(printable(str(error)), err=True)
            ctx.exit(1)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


@click.group(cls=Plain, context_settings=EXAMPLES, epilog="Begin with:  dockerlab lab")
@click.version_option(__version__, prog_name="dockerlab")
def main() -> None:
    """The Docker Engine API as a course you run.

    \b
    dockerlab lab                               open the course in JupyterLab
    dockerlab run 01                            play a lesson in the terminal
    dockerlab call ContainerList all=true       ask any engine anything, as a table
    dockerlab doctor                            what is here, what works, what to do about the rest

    Exit codes: 0 good, 1 it didn't work (the reason is on stderr), 2 a wrong option.
    """


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option("--no-try", is_flag=True, help="Don't start the practice engine to see whether it works.")
def doctor(as_json: bool, no_try: bool) -> None:
    """Say what is here, what works, and what to do about the rest.

    \b
    dockerlab doctor
    dockerlab doctor --json | jq .checks
    """
    from dockerlab.doctor import examine, show  # noqa: PLC0415

    report = examine(try_practice=not no_try)
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else show(report))
    sys.exit(0 if report.well else 1)


@main.command()
@click.argument("directory", default="dockerlab-course", type=click.Path(file_okay=False))
@click.option("--here", is_flag=True, help="Open the notebooks of this checkout; copy nothing.")
@click.option("--engine", help="practice, docker, or an address (unix:///PATH, tcp://HOST:PORT).")
@click.option("--port", type=click.IntRange(1, 65535), help="Where JupyterLab listens; 8888 or the next free one.")
@click.option("--no-browser", is_flag=True, help="Print the address, open nothing.")
def lab(directory: str, here: bool, engine: str | None, port: int | None, no_browser: bool) -> None:
    """Put a copy of the course into DIRECTORY and open it in JupyterLab.

    Notebooks that are there already are yours: they stay as they are.

    \b
    dockerlab lab
    dockerlab lab ~/workshop --engine docker
    """
    from dockerlab.launch import launch  # noqa: PLC0415

    sys.exit(launch(None if here else directory, engine=engine, port=port, browser=not no_browser))


@main.command()
@click.argument("lesson")
@click.option("--yes", is_flag=True, help="Don't wait for Enter before each cell.")
@click.option("--engine", help="practice, docker, or an address (unix:///PATH, tcp://HOST:PORT).")
def run(lesson: str, yes: bool, engine: str | None) -> None:
    """Play LESSON (00 to 10) in the terminal, cell by cell.

    \b
    dockerlab run 01
    dockerlab run 05 --yes --engine docker
    """
    from dockerlab.runner import play  # noqa: PLC0415

    sys.exit(play(lesson, wait=not yes, engine=engine))


@main.command()
@click.argument("operation", required=False)
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--list", "listing", is_flag=True, help="List the operations with their parameters.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv", "parquet"]), default="table")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to a file (parquet and tar need one).")
@click.option("--host", help="practice, docker, or an address; as dockerlab.connect() chooses without it.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=60.0, help="Seconds.")
def call(  # noqa: PLR0913, PLR0917  (one parameter an option)
    operation: str | None,
    arguments: tuple[str, ...],
    listing: bool,
    form: str,
    output: str | None,
    host: str | None,
    timeout: float,
) -> None:
    """Make one request of the Engine API and print its answer.

    OPERATION is an operationId; its arguments are in snake_case.

    \b
    dockerlab call ContainerList all=true
    dockerlab call ContainerList all=true filters='{"status": ["exited"]}' --format csv
    dockerlab call ContainerInspect id=web --format json
    dockerlab call ContainerExport id=web -o web.tar
    dockerlab call --list
    """
    from dockerlab import calling  # noqa: PLC0415

    if listing or operation is None:
        click.echo(calling.listing(operation or ""))
        return
    calling.call(operation, arguments, form=form, output=output, host=host, timeout=timeout)


@main.group()
def engine() -> None:
    """Start, stop and look at the practice engine.

    \b
    dockerlab engine start
    export $(dockerlab engine start | tail -n 1)     then: docker ps
    """


PLACES = (
    click.option("--host", help="unix:///PATH of its socket."),
    click.option("--state", type=click.Path(file_okay=False), help="Where its containers, images and logs are."),
)


def _placed(command: Any) -> Any:
    """Give a verb the two options that say which engine."""
    for option in PLACES:
        command = option(command)
    return command


def _engine(verb: str, **options: str | None) -> None:
    """Run the engine's own command: the engine is a program by itself."""
    import subprocess  # noqa: PLC0415

    command = [sys.executable, "-m", "dockerlab.engine", verb]
    command += [word for name, value in options.items() if value for word in (f"--{name}", value)]
    sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603  (our own module)


@engine.command()
@_placed
@click.option("--isolation", type=click.Choice(["namespaces", "userns", "plain"]), help="Without it: the best.")
def start(host: str | None, state: str | None, isolation: str | None) -> None:
    """Start it, or find it running. The last line is DOCKER_HOST=unix://…."""
    _engine("start", host=host, state=state, isolation=isolation)


@engine.command()
@_placed
def stop(host: str | None, state: str | None) -> None:
    """Stop it. Its containers run on; the next start finds them."""
    _engine("stop", host=host, state=state)


@engine.command()
@_placed
def status(host: str | None, state: str | None) -> None:
    """Say whether it runs, since when, and with which isolation."""
    _engine("status", host=host, state=state)


@engine.command()
@_placed
def logs(host: str | None, state: str | None) -> None:
    """Print the last lines of its log."""
    _engine("logs", host=host, state=state)


@engine.command()
@_placed
@click.confirmation_option(prompt="End all containers of the practice engine, and remove its state?")
def reset(host: str | None, state: str | None) -> None:
    """Stop it, end its containers, and remove all that it keeps."""
    _engine("reset", host=host, state=state)


if __name__ == "__main__":
    main()
