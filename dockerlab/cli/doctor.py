"""`dockerlab doctor`: check what works on this machine, and say how to fix the rest.

`--json` prints one object, whose keys don't change between versions::

    {"dockerlab": "0.1.0",          the version
     "ok": true,                    whether everything works that the course needs
     "engine": "practice",          the engine of the lessons: practice, docker, or an address
     "checks": [{"name": "python",  python packages jupyterlab course engine.DOCKERLAB_ENGINE engine.DOCKER_HOST
                                    engine.DOCKER_CONTEXT engine.context engine.usual engine.practice
                                    isolation image directories records docker trial safety
                 "status": "ok",    ok, note (it is missing, but the course doesn't need it) or broken
                 "said": "...",     what the check observed
                 "mend": "",        how to fix it; empty if there is nothing to fix
                 "facts": {}}]}     the observation as data; a new version may add keys
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from dockerlab import __version__
from dockerlab.cli.jupyterlab import course_files, installed_course, jupyter_environment
from dockerlab.endpoint import endpoint
from dockerlab.errors import DockerlabError, printable
from dockerlab.lab.lab import Lab

__all__ = ["SAFETY", "Check", "as_json", "as_text", "is_healthy", "lessons_engine", "run_checks"]

OK, NOTE, BROKEN = "ok", "note", "broken"
OLDEST_PYTHON = (3, 11)
PROGRAM_SECONDS, ENGINE_SECONDS = 30, 5.0
SAFETY = "The practice engine is a learning tool, not a sandbox: run only what you would also run in your own shell."
REINSTALL = "Install dockerlab again: pip install --force-reinstall dockerlab"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check: what it observed, and how to fix it."""

    name: str
    status: str
    observation: str
    fix: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def run_checks(*, trial: bool = False) -> list[Check]:
    """Run all checks. Only `trial` starts the practice engine, and stops it again if it was not running."""
    report = _engine_report()
    checks = [_python(), _packages(), _jupyterlab(), _course()]
    checks += _engines(report)
    if report.get("linux"):
        checks += [_isolation(report), _image(report), _directories(report), _records(report), _docker_command()]
    if trial:
        checks.append(_trial(was_running=bool(report.get("answers"))))
    return [*checks, Check("safety", OK, SAFETY)]


def is_healthy(checks: list[Check]) -> bool:
    """Return whether everything works that the course needs."""
    return all(check.status != BROKEN for check in checks)


def lessons_engine() -> str:
    """Return the name or address of the engine that the lessons use."""
    return os.environ.get("DOCKERLAB_ENGINE") or "practice"


def as_json(checks: list[Check]) -> str:
    """Return the checks as JSON for programs. The docstring of this module describes it."""
    documents = [
        {
            "name": check.name,
            "status": check.status,
            "said": check.observation,
            "mend": check.fix,
            "facts": check.facts,
        }
        for check in checks
    ]
    report = {
        "dockerlab": __version__,
        "ok": is_healthy(checks),
        "engine": lessons_engine(),
        "checks": documents,
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def as_text(checks: list[Check]) -> str:
    """Return the checks as text: one line per check, and below it how to fix it."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<6}  {check.name:<{width}}  {check.observation}")
        lines += [f"{'':<6}  {'':<{width}}  → {check.fix}"] if check.fix else []
    broken = [check.name for check in checks if check.status == BROKEN]
    verdict = "Everything that the lessons need works."
    if broken:
        verdict = f"Broken: {', '.join(broken)}. The lines with an arrow say how to fix it."
    return printable("\n".join([*lines, "", verdict]))


# -- this Python ---------------------------------------------------------------------------------------------


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    facts = {"version": version, "executable": sys.executable, "platform": sys.platform}
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", BROKEN, version, "dockerlab needs Python 3.11 or newer.", facts)
    return Check("python", OK, f"{version}, {sys.executable}", "", facts)


def _packages() -> Check:
    """Import every package that dockerlab requires, because an installed package may still be broken."""
    versions, errors = {}, {}
    for name, extra in _requirements():
        try:
            importlib.import_module(name.replace("-", "_"))
            versions[name] = importlib.metadata.version(name)
        except Exception as error:  # a broken package may raise any exception
            if not extra:
                errors[name] = f"{type(error).__name__}: {error}"
    facts = {"found": versions, "broken": errors}
    if errors:
        observation = "; ".join(f"{name}: {error}" for name, error in errors.items())
        return Check("packages", BROKEN, observation, f"{sys.executable} -m pip install {' '.join(errors)}", facts)
    observation = ", ".join(f"{name} {version}" for name, version in versions.items())
    if "pyarrow" not in versions:
        observation += " (pyarrow is not installed; only Parquet needs it)"
    return Check("packages", OK, observation, "", facts)


def _requirements() -> list[tuple[str, bool]]:
    """Return the names of the packages that dockerlab requires, and whether each is an extra."""
    requirements = importlib.metadata.requires("dockerlab") or []
    names = [(re.split(r"[^\w.-]", line, maxsplit=1)[0], "extra ==" in line) for line in requirements]
    return names or [("pandas", False), ("urllib3", False), ("requests", False), ("jupyterlab", False), ("h11", False)]


def _jupyterlab() -> Check:
    """Find out which Python Jupyter's kernel `python3` runs, in the environment that `dockerlab lab` gives Jupyter."""
    code = (
        "import json, jupyterlab, jupyterlab_widgets\n"
        "from jupyter_client import KernelManager\n"
        "manager = KernelManager(kernel_name='python3')\n"
        "print(json.dumps([jupyterlab.__version__, manager.format_kernel_cmd()[0], manager.kernel_spec.resource_dir]))"
    )
    process = _run([sys.executable, "-c", code], environment=jupyter_environment(lessons_engine()))
    try:
        version, kernel, kernelspec = json.loads(process.stdout)
    except ValueError:
        error = process.stderr.strip().rpartition("\n")[2] or "it printed no error message"
        return Check("jupyterlab", BROKEN, error, f"{sys.executable} -m pip install jupyterlab ipywidgets")
    facts = {"version": version, "kernel": kernel, "kernelspec": kernelspec}
    if kernel != sys.executable:
        return Check("jupyterlab", BROKEN, f"{version}, but its kernel python3 runs {kernel}", REINSTALL, facts)
    return Check("jupyterlab", OK, f"{version}; its kernel python3 runs this Python", "", facts)


def _course() -> Check:
    try:
        folder = installed_course()
    except DockerlabError as error:
        return Check("course", BROKEN, _problem_and_fix(error)[0], REINSTALL)
    count = sum(name.endswith(".ipynb") for name in course_files(folder))
    return Check("course", OK, f"{count} notebooks in {folder}", "", {"folder": str(folder), "notebooks": count})


# -- engines -------------------------------------------------------------------------------------------------


def _engines(report: dict[str, Any]) -> list[Check]:
    """Try every way to an engine, in the order of connect(), and say which one it chooses."""
    ways = list(endpoint.ways())
    chosen = next(way for way in ways if way.is_chosen)
    named = [way for way in ways if way.name not in ("the caller", "usual socket", "practice")]
    sockets = [way for way in ways if way.name == "usual socket"]
    checks = [(way is chosen, _named_engine(way, way is chosen)) for way in named]
    checks.append((chosen in sockets, _usual_sockets(sockets, chosen in sockets)))
    checks.append((chosen.name == "practice", _practice_engine(report, needed=lessons_engine() == "practice")))
    lessons_check = "engine.practice" if lessons_engine() == "practice" else "engine.DOCKERLAB_ENGINE"
    results = []
    for is_chosen, check in checks:
        uses = ["connect() and `dockerlab call` use this engine"] if is_chosen else []
        uses += ["the lessons use this engine"] if check.name == lessons_check else []
        observation = f"{check.observation} ({'; '.join(uses)})" if uses else check.observation
        results.append(Check(check.name, check.status, observation, check.fix, {**check.facts, "taken": is_chosen}))
    return results


def _named_engine(way: endpoint.Way, is_chosen: bool) -> Check:
    """Try an engine that a variable or Docker's configuration names.

    An address in a variable must work even if it is not chosen, because somebody set it on purpose; a context need not.
    """
    needed = is_chosen or not way.name.endswith(("CONTEXT", "context"))
    name, facts = f"engine.{way.name.replace('current ', '')}", {"value": way.finding}
    if way.practice:
        return Check(name, OK, "practice: the practice engine, below", "", facts)
    if way.error:
        problem, fix = _problem_and_fix(way.error)
        return Check(name, BROKEN if needed else NOTE, f"{way.finding}: {problem}.", fix, facts)
    if way.endpoint is None:
        return Check(name, NOTE, way.finding, "", facts)
    return _try_engine(name, way.endpoint, needed=needed, value=way.finding)


def _usual_sockets(sockets: list[endpoint.Way], is_chosen: bool) -> Check:
    """Try the first of the usual sockets that accepts connections, and list all the others."""
    first = next((way for way in sockets if way.endpoint), None)
    findings = [way.finding for way in sockets if way is not first]
    if first is None or first.endpoint is None:
        existing = [finding for finding in findings if not finding.endswith("not there")]
        observation = "; ".join(existing) or f"none of the {len(findings)} usual sockets exists"
        return Check("engine.usual", NOTE, observation, "", {"sockets": findings})
    check = _try_engine("engine.usual", first.endpoint, needed=is_chosen)
    return Check(check.name, check.status, check.observation, check.fix, {**check.facts, "sockets": findings})


def _try_engine(name: str, address: endpoint.Endpoint, *, needed: bool, value: str = "") -> Check:
    facts = {"value": value, "url": address.url}
    try:
        with Lab(address, timeout=ENGINE_SECONDS) as lab:
            facts |= {"engine": lab.engine, "api": lab.version}
            return Check(name, OK, f"{lab.engine}, API {lab.version}, {address.url}", "", facts)
    except DockerlabError as error:
        problem, fix = _problem_and_fix(error)
        fix = fix.replace('dockerlab.connect("practice")', "DOCKERLAB_ENGINE=practice") if needed else ""
        return Check(name, BROKEN if needed else NOTE, f"{problem}.", fix, facts)


def _problem_and_fix(error: DockerlabError) -> tuple[str, str]:
    """Split an error's text after its first sentence, which says what happened; the others say what to do."""
    problem, _, fix = str(error).partition(". ")
    return problem, fix


def _practice_engine(report: dict[str, Any], *, needed: bool) -> Check:
    name, facts = "engine.practice", {"running": bool(report.get("answers")), "socket": report.get("socket", "")}
    if not report or not report["linux"]:
        status = BROKEN if needed else NOTE
        fix = "Use Docker Desktop with DOCKERLAB_ENGINE=docker, WSL 2 on Windows, or the hosted course."
        return Check(name, status, "the practice engine runs on Linux only", fix, facts)
    if not report["answers"]:
        return Check(name, OK, "not running; it starts by itself when it is needed", "", facts)
    return _try_engine(name, endpoint.Endpoint("unix", report["socket"], own_process=True), needed=needed)


def _engine_report() -> dict[str, Any]:
    """Return the report of the practice engine's own program about what works on this machine."""
    process = _run([sys.executable, "-m", "dockerlab.engine", "report"])
    try:
        report = json.loads(process.stdout)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _run(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603  (this interpreter, or the docker command in PATH)
            command, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False, env=environment,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


# -- what the practice engine needs --------------------------------------------------------------------------


def _isolation(report: dict[str, Any]) -> Check:
    working = [rung["name"] for rung in report["rungs"] if rung["works"]]
    requested = report["asked"]
    rung_name = requested or (working[0] if working else "")
    facts = {"works": working, "asked": requested, "used": rung_name}
    if rung_name not in working:
        observation = f"DOCKERLAB_ISOLATION={requested} does not work here; these work: {', '.join(working)}"
        return Check("isolation", BROKEN, observation, "unset DOCKERLAB_ISOLATION, or choose one that works", facts)
    sentence = next(rung["sentence"] for rung in report["rungs"] if rung["name"] == rung_name)
    others = ", ".join(name for name in working if name != rung_name)
    observation = f"{rung_name}: {sentence}{f' (these also work here: {others})' if others else ''}"
    return Check("isolation", OK, observation, "", facts)


def _image(report: dict[str, Any]) -> Check:
    if report["busybox"]:
        return Check("image", OK, f"made from {report['busybox']}", "", {"busybox": report["busybox"]})
    if report.get("host_binaries"):
        observation = "made from this machine's own programs, because there is no static busybox"
        fix = "For a smaller and faster image: sudo apt-get install busybox-static"
        return Check("image", NOTE, observation, fix, {"busybox": ""})
    fix = "sudo apt-get install busybox-static (or set DOCKERLAB_BUSYBOX to the path of a static busybox)"
    return Check("image", _status_of_practice_problem(), "there is no static busybox", fix, {"busybox": ""})


def _directories(report: dict[str, Any]) -> Check:
    state, sockets, socket = report["state"], report["sockets"], report["socket"]
    faults = [f"{directory['path']}: {directory['fault']}" for directory in (state, sockets) if directory["fault"]]
    facts = {"state": state, "sockets": sockets, "socket": socket, "log": report["log"]}
    if faults:
        fix = "Make them private (chmod 700), or use other paths: DOCKERLAB_STATE=DIR, DOCKERLAB_SOCKET=PATH"
        return Check("directories", _status_of_practice_problem(), "; ".join(faults), fix, facts)
    mode = f"mode {state['mode']}" if state["there"] else "created when it is needed"
    return Check("directories", OK, f"state {state['path']} ({mode}), socket {socket}", "", facts)


def _records(report: dict[str, Any]) -> Check:
    """Name the files in the practice engine's directory that it can't read, and therefore skips."""
    bad_records = report.get("bad_records") or []
    if not bad_records:
        return Check("records", OK, "the practice engine can read everything in its directory", "", {"skipped": []})
    observation = "; ".join(f"the practice engine skips {record['path']}: {record['reason']}" for record in bad_records)
    first = shlex.quote(bad_records[0]["path"])
    fix = f"Move each away and restart the engine: mv {first} ~/ && dockerlab engine stop"
    return Check("records", NOTE, observation, fix, {"skipped": bad_records})


def _status_of_practice_problem() -> str:
    """Return the status of a problem that matters only if the lessons use the practice engine."""
    return BROKEN if lessons_engine() == "practice" else NOTE


def _docker_command() -> Check:
    path = shutil.which("docker")
    if not path:
        return Check("docker", NOTE, "there is no docker command; only the lessons' docker lines need it")
    version = _run([path, "--version"]).stdout.strip().partition(",")[0]
    return Check("docker", OK, f"{version or 'unknown version'}, {path}", "", {"path": path})


def _trial(*, was_running: bool) -> Check:
    """Run a container in the practice engine, and stop the engine afterwards if it was not running before."""
    name, labels = f"doctor-{os.getpid()}", {"dockerlab.doctor": "trial"}
    try:
        with Lab(endpoint.practice("doctor --try")) as lab:
            lab.call("ContainerCreate", image="busybox", name=name, cmd=["echo", "well"], labels=labels)
            try:
                lab.call("ContainerStart", id=name)
                code = lab.call("ContainerWait", id=name).json()["StatusCode"]
            finally:
                lab.call("ContainerDelete", id=name, force=True)
            engine = lab.engine
    except DockerlabError as error:
        return Check("trial", BROKEN, str(error).partition("\n")[0], "dockerlab engine logs")
    finally:
        if not was_running:
            _run([sys.executable, "-m", "dockerlab.engine", "stop"])
    if code:
        return Check("trial", BROKEN, f"a container in {engine} ended with exit code {code}", "dockerlab engine logs")
    after = "the engine keeps running" if was_running else "the engine was stopped again"
    return Check("trial", OK, f"a container ran in {engine}; {after}", "", {"stopped": not was_running})
