"""`dockerlab lab`: puts the course into a directory, and opens JupyterLab on it.

A learner's work is never overwritten. A small record in the directory says what each file looked like when it was put
there; a file that looks different now is the learner's.
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

__all__ = ["FIRST", "RECORD", "Put", "course", "engine", "jupyter_environment", "prepare", "put", "serve", "shipped"]

FIRST = "00-start-here.ipynb"
RECORD = ".dockerlab-course.json"
USUAL = "dockerlab-course"
#: How long JupyterLab may take to answer, and to end.
START_SECONDS, STOP_SECONDS = 60, 15
Say = Callable[[str], None]


# -- where, and with which engine ----------------------------------------------------------------------------


def prepare(folder: Path | None, *, here: bool, fresh: bool, say: Say) -> Path:
    """Give the directory to open: one with a copy of the course, or with `here` one that has it already.

    Raises ArgumentError if there is no course in it.
    """
    if not here:
        target = (folder or Path(USUAL)).expanduser().absolute()
        for sentence in put(target, shipped(), fresh=fresh).sentences(target):
            say(sentence)
        return target
    if fresh:
        raise ArgumentError("--here uses the notebooks as they are, and --fresh makes new copies: give one of them.")
    given = (folder or Path()).expanduser().absolute()
    for target in (given, given / "notebooks"):
        if (target / FIRST).is_file():
            say(f"course: {target}, as it is")
            return target
    raise ArgumentError(f"There is no {FIRST} in {given}. Without --here a copy of the course is put there.")


def engine(chosen: str | None, *, say: Say) -> str:
    """Find the lessons' engine, start it if it is the practice engine, and give the name for DOCKERLAB_ENGINE.

    Raises DockerlabError if it doesn't answer: better here than in a notebook.
    """
    import dockerlab  # noqa: PLC0415  (the rooms of the client, once they are needed)

    name = chosen or os.environ.get("DOCKERLAB_ENGINE") or "practice"
    with dockerlab.connect(name) as lab:
        say(f"engine: {lab.engine}, API {lab.version}, {lab.endpoint.url}")
    return name


# -- the course's files --------------------------------------------------------------------------------------


def shipped() -> Path:
    """Give the directory with the course as it was installed: in the wheel, or in the checkout.

    Raises DockerlabError if it is in neither.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST).is_file():
            return folder
    raise DockerlabError("The notebooks are not with this installation. Install dockerlab again: pip install dockerlab")


def course(folder: Path) -> list[str]:
    """List the files of the course in a directory, without what JupyterLab and editors leave there."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder) for path in found)
    return sorted(str(name) for name in names if not any(part.startswith((".", "__")) for part in name.parts))


@dataclass(slots=True)
class Put:
    """What became of each file: new, the same as before, brought up to date, or kept as the learner has it."""

    new: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    saved: Path | None = None

    def sentences(self, folder: Path) -> list[str]:
        """Say it, a line each."""
        parts = [f"{len(self.new)} new"] if self.new else []
        parts += [f"{len(self.updated)} brought up to date"] if self.updated else []
        parts += [f"{len(self.same)} as they were"] if self.same else []
        lines = [f"course: {folder}: {', '.join(parts) or 'all yours'}"]
        if self.kept:
            lines.append(f"course: yours, so kept as they are: {', '.join(self.kept)} (--fresh gives new copies)")
        if self.saved:
            lines.append(f"course: the copies that you changed are now in {self.saved}")
        return lines


def put(folder: Path, source: Path, *, fresh: bool = False) -> Put:
    """Copy the course from `source` into `folder`.

    A file that the learner has changed stays as it is; with `fresh` it moves into a directory beside the new copy.
    Raises ArgumentError if the directory can't be written.
    """
    done = Put()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = _read_record(folder)
        for name in course(source):
            _put_one(name, folder, source, record, done, fresh)
        (folder / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")
    except OSError as error:
        raise ArgumentError(
            f"The course can't be put into {folder}: {error.strerror}. Name a directory of yours: dockerlab lab DIR"
        ) from None
    return done


def _put_one(  # noqa: PLR0913, PLR0917  (all of them are needed for each file)
    name: str, folder: Path, source: Path, record: dict[str, str], done: Put, fresh: bool
) -> None:
    content = (source / name).read_bytes()
    digest, there = _digest(content), folder / name
    before = _digest(there.read_bytes()) if there.exists() else ""
    if before == digest:
        done.same.append(name)
    elif not before:
        done.new.append(name)
    elif before == record.get(name):
        done.updated.append(name)
    elif not fresh:
        done.kept.append(name)
        return
    else:
        done.saved = done.saved or folder / f"before-{datetime.now():%Y%m%d-%H%M%S}"
        (done.saved / name).parent.mkdir(parents=True, exist_ok=True)
        there.rename(done.saved / name)
        done.new.append(name)
    record[name] = digest
    if before != digest:
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(content)


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
    """Give the environment for JupyterLab and for kernels.

    Our own kernelspec comes first: `python3` is then this interpreter, whatever kernels a user has installed. Our
    settings (`labconfig/`) turn off the question about news.
    """
    ours = str(Path(__file__).parent / "jupyter")
    names = ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH")
    found = {name: os.pathsep.join(filter(None, (ours, os.environ.get(name)))) for name in names}
    return {**os.environ, "DOCKERLAB_ENGINE": engine, **found}


def _command(folder: Path, port: int | None, browser: bool, more: tuple[str, ...]) -> list[str]:
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--ServerApp.answer_yes=True"]
    command += [f"--LabApp.default_url=/lab/tree/{FIRST}"]
    # nothing is asked of the network
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser or not _screen():
        command.append("--no-browser")
    if os.geteuid() == 0:
        command.append("--allow-root")
    return [*command, *more]


def _screen() -> bool:
    """Is there a screen for a browser? Without one Python takes a browser for terminals, in this very terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def serve(  # noqa: PLR0913  (what the command line can say)
    folder: Path, *, engine: str, port: int | None, browser: bool, more: tuple[str, ...], say: Say
) -> int:
    """Run JupyterLab on a directory until it ends, and give its exit code. Says its address when it answers.

    Raises DockerlabError if it does not start.
    """
    handle, name = tempfile.mkstemp(prefix="dockerlab-jupyterlab-", suffix=".log")
    command, log = _command(folder, port, browser, more), Path(name)
    with os.fdopen(handle, "w") as output, _ended_by_signals():
        process = subprocess.Popen(  # noqa: S603  (JupyterLab, by this same interpreter)
            command, cwd=folder, env=jupyter_environment(engine), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            say(f"jupyterlab: starting, its log is {log}")
            url = _wait_for_address(process, log)
            say("jupyterlab: ready; Ctrl-C here ends it. Open this address:")
            say(url)
            return process.wait()
        except KeyboardInterrupt:
            say("\njupyterlab: ended. The practice engine goes on: dockerlab engine stop")
            return 0
        finally:
            _end(process)
            if process.returncode == 0:
                log.unlink(missing_ok=True)


def _wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server answers, and give the address of the first page, with the token."""
    from jupyter_core.paths import jupyter_runtime_dir

    noted = Path(jupyter_runtime_dir()) / f"jpserver-{process.pid}.json"
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise DockerlabError(f"JupyterLab ended with code {process.returncode}: {_reason(log)}\nAll of it: {log}")
        if address := _address(noted):
            return address
        time.sleep(0.1)
    raise DockerlabError(f"JupyterLab did not answer within {START_SECONDS} s: {_reason(log)}\nAll of it: {log}")


def _address(noted: Path) -> str:
    """Read what the server has noted about itself, and try it; an empty text if it isn't ready."""
    try:
        known = json.loads(noted.read_text("utf-8"))
        base = str(known["url"]).rstrip("/")
        urllib.request.urlopen(f"{base}/api", timeout=5).close()  # noqa: S310  (our own server)
    except (FileNotFoundError, ValueError, urllib.error.URLError, TimeoutError):
        return ""
    token = f"?token={quote(known['token'])}" if known.get("token") else ""
    return f"{base}/lab/tree/{FIRST}{token}"


def _reason(log: Path) -> str:
    """Give the last thing that JupyterLab said of importance."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if "ERROR" in line or line.startswith(("[C ", "[E ")) or "Error" in line]
    return (telling or lines or ["it said nothing"])[-1]


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end JupyterLab as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End JupyterLab, which ends its kernels, and don't wait for ever."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(signum)
        try:
            process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            continue
