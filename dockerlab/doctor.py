"""`dockerlab doctor`: what is here, what works, and what to do about the rest."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from dockerlab import endpoint, errors
from dockerlab.lab import Lab

__all__ = ["Check", "Report", "examine", "show"]

NEEDED = ("pandas", "requests", "requests-unixsocket", "urllib3", "ipywidgets", "jupyterlab", "h11")
OLDEST = (3, 11)
SECONDS = 30
MARKS = {"good": "ok  ", "missing": "--  ", "bad": "FAIL"}
SAFETY = "The practice engine is for learning, and not a sandbox: run in it only what you would run without it."


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `good`, `missing` (not here, not needed) or `bad`; what was seen; what to do."""

    name: str
    state: str
    seen: str
    mend: str = ""


@dataclass(slots=True)
class Report:
    """All checks; `well` if none is bad. `engine` is the one that a lesson would use."""

    checks: list[Check] = field(default_factory=list)
    engine: str = ""

    @property
    def well(self) -> bool:
        """Say whether everything that is needed works."""
        return all(check.state != "bad" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain data: `well`, `engine`, `checks` with `name`, `state`, `seen`, `mend`."""
        return {"well": self.well, "engine": self.engine, "checks": [asdict(check) for check in self.checks]}


def examine(*, try_practice: bool = True) -> Report:
    """Look at everything. With `try_practice` the practice engine is started to see that it works."""
    report = Report(engine=os.environ.get("DOCKERLAB_ENGINE") or "practice")
    report.checks += [_python(), _packages(), *_isolation()]
    report.checks += [_practice(report.engine) if try_practice else Check("practice engine", "missing", "not tried")]
    report.checks += [_usual(report.engine), *_named("DOCKER_HOST"), *_named("DOCKERLAB_ENGINE"), _docker_command()]
    return report


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        return Check("Python", "bad", version, "dockerlab needs Python 3.11 or newer: make lab PYTHON=/path/to/python")
    return Check("Python", "good", f"{version} at {sys.executable}")


def _packages() -> Check:
    missing, found = [], []
    for name in NEEDED:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", "bad", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Check("packages", "good", ", ".join(found))


def _isolation() -> list[Check]:
    """Ask the engine's own program which rungs work here."""
    command = [sys.executable, "-m", "dockerlab.engine", "rungs"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
        rungs = json.loads(ran.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return [Check("isolation", "bad", "no rung works", "The practice engine runs on Linux. Elsewhere: see README.")]
    wanted = os.environ.get("DOCKERLAB_ISOLATION")
    used = next((rung for rung in rungs if rung["name"] == wanted), rungs[0])
    names = ", ".join(rung["name"] for rung in rungs)
    return [Check("isolation", "good", f"{used['name']} (works here: {names}). {used['sentence']}")]


def _answers(found: endpoint.Endpoint) -> str:
    with Lab(found, timeout=5) as lab:
        return f"{lab.engine}, API {lab.version}, {found.url}"


def _practice(engine: str) -> Check:
    try:
        return Check("practice engine", "good", _answers(endpoint.practice()))
    except errors.DockerlabError as error:
        seen, _, mend = str(error).partition("\n")
        state = "bad" if engine == "practice" else "missing"
        return Check("practice engine", state, seen, mend or "dockerlab engine logs")


def _usual(engine: str) -> Check:
    found = endpoint.Endpoint("unix", endpoint.USUAL_SOCKET)
    needed = engine == "docker" and not os.environ.get("DOCKER_HOST")
    try:
        return Check("usual socket", "good", _answers(found))
    except errors.DockerlabError as error:
        return Check("usual socket", "bad" if needed else "missing", str(error).partition(". ")[0] + ".", str(error))


def _named(variable: str) -> list[Check]:
    """Try the engine that a variable names; without it there is nothing to say."""
    value = os.environ.get(variable, "")
    if value in ("", "practice", "docker"):
        return []
    try:
        return [Check(variable, "good", _answers(endpoint.parse(value, variable, os.environ)))]
    except errors.DockerlabError as error:
        return [Check(variable, "bad", f"{value}: {str(error).partition('. ')[0]}.", str(error))]


def _docker_command() -> Check:
    found = shutil.which("docker")
    if not found:
        return Check("docker command", "missing", "not installed", "Only the CLI lines of the lessons need it.")
    return Check("docker command", "good", found)


def show(report: Report) -> str:
    """Write the report for a person; what is to do stands under what is bad."""
    lines = []
    for check in report.checks:
        lines.append(errors.printable(f"{MARKS[check.state]}  {check.name}: {check.seen}"))
        if check.state == "bad" and check.mend:
            lines.append(f"      do: {check.mend}")
    verdict = "Everything that lessons need works." if report.well else "Something that they need doesn't: FAIL."
    return "\n".join([*lines, "", f"Lessons use: {report.engine}. {verdict}", SAFETY])
