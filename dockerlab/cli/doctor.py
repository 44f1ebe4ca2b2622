"""`dockerlab doctor`: what is here, what works, and what to do about the rest.

`--json` prints one object, whose keys stay as they are::

    {"dockerlab": "0.1.0",          the version
     "ok": true,                    nothing is broken that the course needs
     "engine": "practice",          what the lessons use: practice, docker, or an address
     "checks": [{"name": "python",  python packages jupyterlab course engine.DOCKERLAB_ENGINE engine.DOCKER_HOST
                                    engine.DOCKER_CONTEXT engine.context engine.usual engine.practice
                                    isolation image directories docker trial safety
                 "status": "ok",    ok, note (it is missing, and nothing needs it), broken
                 "said": "...",     what was seen
                 "mend": "",        what to do; empty if there is nothing to do
                 "facts": {}}]}     the same as data; keys may be added
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from dockerlab import __version__
from dockerlab.cli.jupyterlab import course_files, installed_course, jupyter_environment
from dockerlab.endpoint import endpoint
from dockerlab.errors import DockerlabError, printable
from dockerlab.lab.lab import Lab

__all__ = ["SAFETY", "Check", "as_json", "as_text", "chosen", "is_healthy", "run_checks"]

OK, NOTE, BROKEN = "ok", "note", "broken"
OLDEST = (3, 11)
SECONDS, ENGINE_SECONDS = 30, 5.0
SAFETY = "The practice engine is for learning and not a sandbox: run in it what you would run in your own shell."
REINSTALL = "Install it again: pip install --force-reinstall dockerlab"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was seen, and what to do."""

    name: str
    status: str
    said: str
    mend: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def run_checks(*, trial: bool = False) -> list[Check]:
    """Look at everything. Starts nothing, but for `trial`, which leaves the practice engine as it was."""
    told = _report()
    checks = [_python(), _packages(), _jupyterlab(), _course()]
    checks += _engines(told)
    checks += [_isolation(told), _image(told), _directories(told), _docker_command()] if told.get("linux") else []
    if trial:
        checks.append(_trial(bool(told.get("answers"))))
    return [*checks, Check("safety", OK, SAFETY)]


def is_healthy(checks: list[Check]) -> bool:
    """Tell whether nothing is broken."""
    return all(check.status != BROKEN for check in checks)


def chosen() -> str:
    """Name what the lessons use."""
    return os.environ.get("DOCKERLAB_ENGINE") or "practice"


def as_json(checks: list[Check]) -> str:
    """Write the checks for programs; the form is at the top of this module."""
    report = {
        "dockerlab": __version__,
        "ok": is_healthy(checks),
        "engine": chosen(),
        "checks": [asdict(one) for one in checks],
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def as_text(checks: list[Check]) -> str:
    """Write the checks for a person: a line each, with what to do below."""
    wide = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<6}  {check.name:<{wide}}  {check.said}")
        lines += [f"{'':<6}  {'':<{wide}}  → {check.mend}"] if check.mend else []
    broken = [check.name for check in checks if check.status == BROKEN]
    verdict = (
        f"Broken: {', '.join(broken)}. The arrows say what to do." if broken else "All that the lessons need works."
    )
    return printable("\n".join([*lines, "", verdict]))


# -- this Python ---------------------------------------------------------------------------------------------


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    facts = {"version": version, "executable": sys.executable, "platform": sys.platform}
    if sys.version_info < OLDEST:
        return Check("python", BROKEN, version, "dockerlab needs Python 3.11 or newer.", facts)
    return Check("python", OK, f"{version}, {sys.executable}", "", facts)


def _packages() -> Check:
    """Import every package that dockerlab asks for: what is installed may still not work."""
    found, wrong = {}, {}
    for name, extra in _requirements():
        try:
            importlib.import_module(name.replace("-", "_"))
            found[name] = importlib.metadata.version(name)
        except Exception as error:  # a broken package may raise anything at all
            if not extra:
                wrong[name] = f"{type(error).__name__}: {error}"
    facts = {"found": found, "broken": wrong}
    if wrong:
        said = "; ".join(f"{name}: {reason}" for name, reason in wrong.items())
        return Check("packages", BROKEN, said, f"{sys.executable} -m pip install {' '.join(wrong)}", facts)
    said = ", ".join(f"{name} {version}" for name, version in found.items())
    if "pyarrow" in found:
        return Check("packages", OK, said, "", facts)
    return Check("packages", OK, f"{said} (without pyarrow, which only Parquet needs)", "", facts)


def _requirements() -> list[tuple[str, bool]]:
    """Read what dockerlab asks for: names, and whether it is an extra."""
    asked = importlib.metadata.requires("dockerlab") or []
    names = [(re.split(r"[^\w.-]", line, maxsplit=1)[0], "extra ==" in line) for line in asked]
    return names or [("pandas", False), ("urllib3", False), ("requests", False), ("jupyterlab", False), ("h11", False)]


def _jupyterlab() -> Check:
    """Ask Jupyter, in the environment that `dockerlab lab` gives it, which Python is behind `python3`."""
    code = (
        "import json, jupyterlab, jupyterlab_widgets\n"
        "from jupyter_client import KernelManager\n"
        "manager = KernelManager(kernel_name='python3')\n"
        "print(json.dumps([jupyterlab.__version__, manager.format_kernel_cmd()[0], manager.kernel_spec.resource_dir]))"
    )
    ran = _run([sys.executable, "-c", code], environment=jupyter_environment(chosen()))
    try:
        version, kernel, place = json.loads(ran.stdout)
    except ValueError:
        reason = ran.stderr.strip().rpartition("\n")[2] or "it said nothing"
        return Check("jupyterlab", BROKEN, reason, f"{sys.executable} -m pip install jupyterlab ipywidgets")
    facts = {"version": version, "kernel": kernel, "kernelspec": place}
    if kernel != sys.executable:
        return Check("jupyterlab", BROKEN, f"{version}, but its kernel python3 is {kernel}", REINSTALL, facts)
    return Check("jupyterlab", OK, f"{version}; its kernel python3 is this Python", "", facts)


def _course() -> Check:
    try:
        folder = installed_course()
    except DockerlabError as error:
        return Check("course", BROKEN, str(error).partition(". ")[0], REINSTALL)
    count = sum(name.endswith(".ipynb") for name in course_files(folder))
    return Check("course", OK, f"{count} notebooks in {folder}", "", {"folder": str(folder), "notebooks": count})


# -- engines -------------------------------------------------------------------------------------------------


def _engines(told: dict[str, Any]) -> list[Check]:
    """Try every way to an engine, in the order of connect(); the first that says something is taken."""
    found = list(endpoint.ways())
    taken = next(way for way in found if way.is_chosen)
    named = [way for way in found[1:] if way.name not in ("usual socket", "practice")]  # there is no caller here
    sockets = [way for way in found if way.name == "usual socket"]
    checks = [(way is taken, _named(way, way is taken)) for way in named]
    checks.append((taken in sockets, _usual(sockets, taken in sockets)))
    checks.append((taken.name == "practice", _practice(told, needed=chosen() == "practice")))
    marked = []
    for is_taken, check in checks:
        uses = ["connect() and call take this one"] if is_taken else []
        uses += ["the lessons use this one"] if check.name == _lessons_way() else []
        said = f"{check.said} ({'; '.join(uses)})" if uses else check.said
        marked.append(Check(check.name, check.status, said, check.mend, {**check.facts, "taken": is_taken}))
    return marked


def _lessons_way() -> str:
    if chosen() == "practice":
        return "engine.practice"
    return "engine.DOCKERLAB_ENGINE"


def _named(way: endpoint.Way, taken: bool) -> Check:
    """Try an engine that a variable or docker's configuration names.

    A context that comes too late need not answer. An address that somebody set is meant to, also where it does.
    """
    needed = taken or not way.name.endswith(("CONTEXT", "context"))
    name, facts = f"engine.{way.name.replace('current ', '')}", {"value": way.finding}
    if way.practice:
        return Check(name, OK, "practice: the practice engine, below", "", facts)
    if way.error:
        said, _, mend = str(way.error).partition(". ")
        return Check(name, BROKEN if needed else NOTE, f"{way.finding}: {said}.", mend, facts)
    if way.endpoint is None:
        return Check(name, NOTE, way.finding, "", facts)
    return _tried(name, way.endpoint, needed=needed, value=way.finding)


def _usual(sockets: list[endpoint.Way], taken: bool) -> Check:
    """Try the first of the usual sockets at which something listens, and name all the others."""
    first = next((way for way in sockets if way.endpoint), None)
    asked = [way.finding for way in sockets if way is not first]
    if first is None or first.endpoint is None:
        there = [said for said in asked if not said.endswith("not there")]
        said = "; ".join(there) or f"nothing at {len(asked)} places"
        return Check("engine.usual", NOTE, said, "", {"sockets": asked})
    tried = _tried("engine.usual", first.endpoint, needed=taken)
    return Check(tried.name, tried.status, tried.said, tried.mend, {**tried.facts, "sockets": asked})


def _tried(name: str, found: endpoint.Endpoint, *, needed: bool, value: str = "") -> Check:
    facts = {"value": value, "url": found.url}
    try:
        with Lab(found, timeout=ENGINE_SECONDS) as lab:
            facts |= {"engine": lab.engine, "api": lab.version}
            return Check(name, OK, f"{lab.engine}, API {lab.version}, {found.url}", "", facts)
    except DockerlabError as error:
        said, _, mend = str(error).partition(". ")
        mend = mend.replace('dockerlab.connect("practice")', "DOCKERLAB_ENGINE=practice") if needed else ""
        return Check(name, BROKEN if needed else NOTE, f"{said}.", mend, facts)


def _practice(told: dict[str, Any], *, needed: bool) -> Check:
    name, facts = "engine.practice", {"running": bool(told.get("answers")), "socket": told.get("socket", "")}
    if not told or not told["linux"]:
        status = BROKEN if needed else NOTE
        mend = "Use Docker Desktop with DOCKERLAB_ENGINE=docker, WSL 2 on Windows, or the hosted course."
        return Check(name, status, "it runs on Linux only", mend, facts)
    if not told["answers"]:
        return Check(name, OK, "does not run; it starts by itself when it is needed", "", facts)
    return _tried(name, endpoint.Endpoint("unix", told["socket"]), needed=needed)


def _report() -> dict[str, Any]:
    """Ask the practice engine's own program, as a process, what it can do here."""
    ran = _run([sys.executable, "-m", "dockerlab.engine", "report"])
    try:
        told = json.loads(ran.stdout)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _run(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603  (this interpreter, and programs that were looked up)
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


# -- the practice engine's means -----------------------------------------------------------------------------


def _isolation(told: dict[str, Any]) -> Check:
    works = [rung["name"] for rung in told["rungs"] if rung["works"]]
    asked = told["asked"]
    used = asked or (works[0] if works else "")
    facts = {"works": works, "asked": asked, "used": used}
    if used not in works:
        known = ", ".join(works)
        said = f"DOCKERLAB_ISOLATION={asked} does not work here; these do: {known}"
        return Check("isolation", BROKEN, said, "unset DOCKERLAB_ISOLATION, or choose one of these", facts)
    sentence = next(rung["sentence"] for rung in told["rungs"] if rung["name"] == used)
    others = ", ".join(name for name in works if name != used)
    return Check("isolation", OK, f"{used}: {sentence}{f' (also works here: {others})' if others else ''}", "", facts)


def _image(told: dict[str, Any]) -> Check:
    if told["busybox"]:
        return Check("image", OK, f"made from {told['busybox']}", "", {"busybox": told["busybox"]})
    if told.get("host_binaries"):
        said = "made from this machine's own programs: no static busybox is here"
        return Check("image", NOTE, said, "Smaller and quicker: sudo apt-get install busybox-static", {"busybox": ""})
    mend = "sudo apt-get install busybox-static (or a static busybox that DOCKERLAB_BUSYBOX names)"
    return Check(
        "image", BROKEN if chosen() == "practice" else NOTE, "there is no static busybox", mend, {"busybox": ""}
    )


def _directories(told: dict[str, Any]) -> Check:
    faults = [f"{one['path']}: {one['fault']}" for one in (told["state"], told["sockets"]) if one["fault"]]
    facts = {"state": told["state"], "sockets": told["sockets"], "socket": told["socket"], "log": told["log"]}
    if faults:
        mend = "Make them yours alone (chmod 700), or name others: DOCKERLAB_STATE=DIR, DOCKERLAB_SOCKET=PATH"
        return Check("directories", BROKEN if chosen() == "practice" else NOTE, "; ".join(faults), mend, facts)
    modes = f"mode {told['state']['mode']}" if told["state"]["there"] else "made when they are needed"
    return Check("directories", OK, f"state {told['state']['path']} ({modes}), socket {told['socket']}", "", facts)


def _docker_command() -> Check:
    found = shutil.which("docker")
    if not found:
        return Check("docker", NOTE, "no docker command; only the lessons' CLI lines need it")
    version = _run([found, "--version"]).stdout.strip().partition(",")[0]
    return Check("docker", OK, f"{version or 'it does not tell its version'}, {found}", "", {"path": found})


def _trial(ran_before: bool) -> Check:
    """Run a container in the practice engine; stop the engine afterwards if it was not there before."""
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
        if not ran_before:
            _run([sys.executable, "-m", "dockerlab.engine", "stop"])
    if code:
        return Check("trial", BROKEN, f"a container in {engine} ended with code {code}", "dockerlab engine logs")
    after = "it runs on" if ran_before else "it was stopped again"
    return Check("trial", OK, f"a container ran in {engine}; {after}", "", {"stopped": not ran_before})
