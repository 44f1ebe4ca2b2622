"""`dockerlab lab`: copy the course into a directory, and open JupyterLab there.

A learner's work is never overwritten. A small record in the directory holds a digest of each file as it was copied; a
file whose digest differs now has been changed by the learner.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from dockerlab.errors import ArgumentError, DockerlabError
from dockerlab.lab.lab import connect

__all__ = [
    "FIRST",
    "RECORD",
    "CopyReport",
    "copy_course",
    "course_files",
    "installed_course",
    "jupyter_environment",
    "prepare_folder",
    "run_jupyterlab",
    "start_engine",
]

FIRST = "00-start-here.ipynb"
RECORD = ".dockerlab-course.json"
DEFAULT_FOLDER = "dockerlab-course"
#: How long JupyterLab may take to start and to stop.
START_SECONDS, STOP_SECONDS = 60, 15
Say = Callable[[str], None]


# -- the directory and the engine ----------------------------------------------------------------------------


def prepare_folder(folder: Path | None, *, here: bool, fresh: bool, say: Say) -> Path:
    """Return the directory to open: one with a copy of the course, or with `here` one that has it already.

    Raises ArgumentError if `here` is set and there is no course in the directory.
    """
    if not here:
        target = (folder or Path(DEFAULT_FOLDER)).expanduser().absolute()
        for sentence in copy_course(target, installed_course(), fresh=fresh).sentences(target):
            say(sentence)
        return target
    if fresh:
        raise ArgumentError("--here uses the notebooks as they are, and --fresh makes new copies: give one of them.")
    base = (folder or Path()).expanduser().absolute()
    for target in (base, base / "notebooks"):
        if (target / FIRST).is_file():
            say(f"course: {target}, used as it is")
            return target
    raise ArgumentError(f"There is no {FIRST} in {base}. To copy the course there, leave --here out.")


def start_engine(name: str | None, *, say: Say) -> str:
    """Connect to the lessons' engine, which starts the practice engine, and return its name for DOCKERLAB_ENGINE.

    Raises DockerlabError if it doesn't answer, so that the learner sees the error here and not in a notebook.
    """
    name = name or os.environ.get("DOCKERLAB_ENGINE") or "practice"
    with connect(name) as lab:
        say(f"engine: {lab.engine}, API {lab.version}, {lab.endpoint.url}")
    return name


# -- the course's files --------------------------------------------------------------------------------------


def installed_course() -> Path:
    """Return the directory of the installed course, in the wheel or in the checkout.

    Raises DockerlabError if it is in neither.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST).is_file():
            return folder
    raise DockerlabError(
        "The notebooks are missing from this installation. Install dockerlab again: "
        "pip install --force-reinstall dockerlab"
    )


def course_files(folder: Path) -> list[str]:
    """Return the files of the course in a directory, without the hidden files of JupyterLab and editors."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(name) for name in names if not any(part.startswith((".", "__")) for part in name.parts))


@dataclass(slots=True)
class CopyReport:
    """The files by what happened to them. Files that the learner has changed are preserved, or move to `backup`."""

    new: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    preserved: list[str] = field(default_factory=list)
    backup: Path | None = None

    def sentences(self, folder: Path) -> list[str]:
        """Return the report for the terminal, one line per fact."""
        parts = [f"{len(self.new)} new"] if self.new else []
        parts += [f"{len(self.updated)} updated"] if self.updated else []
        parts += [f"{len(self.unchanged)} unchanged"] if self.unchanged else []
        lines = [f"course: {folder}: {', '.join(parts) or 'all files are yours'}"]
        if self.preserved:
            names = ", ".join(self.preserved)
            lines.append(f"course: you have changed these files, so they stay: {names} (--fresh makes new copies)")
        if self.backup:
            lines.append(f"course: the files that you changed are now in {self.backup}")
        return lines


def copy_course(folder: Path, source: Path, *, fresh: bool = False) -> CopyReport:
    """Copy the course from `source` to `folder`.

    A file that the learner has changed stays; with `fresh` it moves to a backup directory, and a new copy is made.
    Raises ArgumentError if the directory can't be written.
    """
    report = CopyReport()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = _read_record(folder)
        for name in course_files(source):
            _copy_file(name, folder, source, record, report, fresh)
        (folder / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")
    except OSError as error:
        raise ArgumentError(
            f"The course can't be copied to {folder}: {error.strerror}. "
            "Name a directory that you may write to: dockerlab lab DIR"
        ) from None
    return report


def _copy_file(  # noqa: PLR0913, PLR0917  (each file needs all of them)
    name: str, folder: Path, source: Path, record: dict[str, str], report: CopyReport, fresh: bool
) -> None:
    content = (source / name).read_bytes()
    digest, target = _digest(content), folder / name
    old_digest = _digest(target.read_bytes()) if target.exists() else ""
    if old_digest == digest:
        report.unchanged.append(name)
    elif not old_digest:
        report.new.append(name)
    elif old_digest == record.get(name):
        report.updated.append(name)
    elif not fresh:
        report.preserved.append(name)
        return
    else:
        report.backup = report.backup or folder / f"before-{datetime.now():%Y%m%d-%H%M%S}"
        (report.backup / name).parent.mkdir(parents=True, exist_ok=True)
        target.rename(report.backup / name)
        report.new.append(name)
    record[name] = digest
    if old_digest != digest:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_record(folder: Path) -> dict[str, str]:
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in record.items()} if isinstance(record, dict) else {}


# -- JupyterLab ----------------------------------------------------------------------------------------------


def jupyter_environment(engine: str) -> dict[str, str]:
    """Return the environment variables for JupyterLab and for kernels.

    The package's own kernelspec comes first, so that `python3` is this interpreter even if the user has installed
    another kernel of that name. The package's settings (`labconfig/`) turn off JupyterLab's question about news.
    """
    own_folder = str(Path(__file__).parent / "jupyter")
    names = ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH")
    paths = {name: os.pathsep.join(filter(None, (own_folder, os.environ.get(name)))) for name in names}
    return {**os.environ, "DOCKERLAB_ENGINE": engine, **paths}


def _command(folder: Path, port: int | None, browser: bool, more: tuple[str, ...]) -> list[str]:
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--ServerApp.answer_yes=True"]
    command += [f"--LabApp.default_url=/lab/tree/{FIRST}"]
    # JupyterLab must not look for news or updates on the network
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser or not _has_display():
        command.append("--no-browser")
    if os.geteuid() == 0:
        command.append("--allow-root")
    return [*command, *more]


def _has_display() -> bool:
    """Return whether a browser can open a window. If not, Python would open a text browser in this terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def run_jupyterlab(  # noqa: PLR0913  (one parameter per option of the command line)
    folder: Path, *, engine: str, port: int | None, browser: bool, more: tuple[str, ...], say: Say
) -> int:
    """Run JupyterLab in a directory until it ends, print its address, and return its exit code.

    Raises DockerlabError if it does not start.
    """
    handle, name = tempfile.mkstemp(prefix="dockerlab-jupyterlab-", suffix=".log")
    command, log = _command(folder, port, browser, more), Path(name)
    with os.fdopen(handle, "w") as output, _signals_as_interrupts():
        process = subprocess.Popen(  # noqa: S603  (JupyterLab, by this same interpreter)
            command, cwd=folder, env=jupyter_environment(engine), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            say(f"jupyterlab: starting; its log is {log}")
            url = _wait_for_address(process, log)
            say("jupyterlab: ready. Press Ctrl-C here to stop it. Open this address:")
            say(url)
            return process.wait()
        except KeyboardInterrupt:
            say("\njupyterlab: stopped. The practice engine keeps running; to stop it: dockerlab engine stop")
            return 0
        finally:
            _stop(process)
            if process.returncode == 0:
                log.unlink(missing_ok=True)


def _wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server answers, and return the address of the first page, with the token."""
    from jupyter_core.paths import jupyter_runtime_dir

    server_file = Path(jupyter_runtime_dir()) / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DockerlabError(
                f"JupyterLab ended with exit code {process.returncode}: {_reason(log)}\nIts log: {log}"
            )
        if address := _address(server_file):
            return address
        time.sleep(0.1)
    raise DockerlabError(f"JupyterLab did not answer within {START_SECONDS} s: {_reason(log)}\nIts log: {log}")


def _address(server_file: Path) -> str:
    """Return the address in the server's own file if the server answers there, or else an empty text."""
    try:
        server = json.loads(server_file.read_text("utf-8"))
        base = str(server["url"]).rstrip("/")
        urllib.request.urlopen(f"{base}/api", timeout=5).close()  # noqa: S310  (our own server)
    except (FileNotFoundError, ValueError, urllib.error.URLError, TimeoutError):
        return ""
    token = f"?token={quote(server['token'])}" if server.get("token") else ""
    return f"{base}/lab/tree/{FIRST}{token}"


def _reason(log: Path) -> str:
    """Return the last error in JupyterLab's log, or else its last line."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or line.startswith(("[C ", "[E ")) or "Error" in line]
    return (errors or lines or ["its log is empty"])[-1]


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let SIGTERM and a closed terminal stop JupyterLab as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    old_handlers = {signum: signal.signal(signum, interrupt) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in old_handlers.items():
            signal.signal(signum, handler)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop JupyterLab, which stops its kernels, and kill it if that takes too long."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(signum)
        try:
            process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            continue
