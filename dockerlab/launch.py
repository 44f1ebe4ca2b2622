"""`dockerlab lab`: a copy of the course in a directory, and JupyterLab on it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import click

from dockerlab.errors import DockerlabError

__all__ = ["copy_course", "course", "launch"]

FIRST = "00-start-here.ipynb"
FIRST_PORT, PORTS = 8888, 50
START_SECONDS = 60


def course() -> Path:
    """Find the notebooks: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for place in (package / "notebooks", package.parent / "notebooks"):
        if (place / FIRST).is_file():
            return place
    raise DockerlabError("The notebooks are not with this installation. Install dockerlab again: pip install dockerlab")


def copy_course(target: Path) -> tuple[int, int]:
    """Copy the notebooks that aren't there yet; give how many were copied, and how many were there and differ."""
    if target.exists() and not target.is_dir():
        raise DockerlabError(f"{target} is a file: name a directory for the course.")
    target.mkdir(parents=True, exist_ok=True)
    copied = kept = 0
    for source in sorted(course().glob("*.ipynb")):
        place = target / source.name
        if not place.exists():
            shutil.copyfile(source, place)
            copied += 1
        elif place.read_bytes() != source.read_bytes():
            kept += 1
    return copied, kept


def launch(directory: str | None, *, engine: str | None, port: int | None, browser: bool) -> int:
    """Open the course in JupyterLab, and stay until that ends; without a directory, the notebooks of this checkout."""
    if directory is None:
        place = course()
        click.echo(f"notebooks: {place}")
    else:
        place = Path(directory).expanduser().absolute()
        copied, kept = copy_course(place)
        stays = f"; {kept} that you have changed stay as they are" if kept else ""
        click.echo(f"notebooks: {place} ({copied} copied{stays})")
    chosen = engine or os.environ.get("DOCKERLAB_ENGINE") or "practice"
    click.echo(f"engine: {_engine_line(chosen)}")
    return _jupyter(place, chosen, port or _free_port(), browser)


def _engine_line(chosen: str) -> str:
    """Start or find the engine, so that the first cell answers at once; a missing one is said, not fatal."""
    import dockerlab  # noqa: PLC0415

    try:
        with dockerlab.connect(chosen) as lab:
            return f"{lab.engine}, API {lab.version}, {lab.endpoint.url}"
    except DockerlabError as error:
        return f"{chosen}: {error}".replace("\n", " ")


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DockerlabError(f"No port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free: choose one with --port.")


def _jupyter(place: Path, engine: str, port: int, browser: bool) -> int:
    """Run JupyterLab of this same Python, with the engine in the environment of its kernels."""
    token = os.environ.get("JUPYTER_TOKEN") or os.urandom(24).hex()
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={place}", "--no-browser", "--log-level=WARN"]
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    environment = {**os.environ, "DOCKERLAB_ENGINE": engine, "JUPYTER_TOKEN": token}
    click.echo("starting JupyterLab; Ctrl-C ends it")
    server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603
    url = f"http://127.0.0.1:{port}/lab/tree/{FIRST}?token={token}"
    try:
        _wait(server, port)
        if browser:
            click.launch(url)
        click.echo(url)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(server)


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DockerlabError(f"JupyterLab ended at once, with code {server.returncode}: its own words are above.")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise DockerlabError(f"JupyterLab did not answer on port {port} within {START_SECONDS} s.")


def _end(server: subprocess.Popen[bytes]) -> None:
    """End JupyterLab with its kernels: TERM is what it takes without a question."""
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
