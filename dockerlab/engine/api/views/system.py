"""What the engine says of itself and of this machine: version and info."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab import __version__
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.images.base_image import architecture
from dockerlab.protocol.operations import NEWEST

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["NAME", "info", "version"]

NAME, OLDEST = "dockerlab practice engine", "1.24"
COMMITS = ("ContainerdCommit", "RuncCommit", "InitCommit")
PLUGINS = {
    "Volume": ["local"],
    "Network": ["bridge", "host", "null"],
    "Authorization": None,
    "Log": ["json-file", "local", "none"],
}
LEARNING = "This is a practice engine, for learning: it is not a sandbox. Run only what you would run without it."


def version(engine: Engine) -> dict[str, Any]:
    """Tell the version, as GET /version does."""
    kernel = platform.release()
    details = {
        "ApiVersion": NEWEST,
        "Arch": architecture(),
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": "",
        "KernelVersion": kernel,
        "MinAPIVersion": OLDEST,
        "Os": "linux",
    }
    return {
        "Platform": {"Name": NAME},
        "Components": [{"Name": "Engine", "Version": __version__, "Details": details}],
        "Version": __version__,
        "ApiVersion": NEWEST,
        "MinAPIVersion": OLDEST,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": details["Arch"],
        "KernelVersion": kernel,
        "BuildTime": "",
    }


def info(engine: Engine, asked: tuple[int, ...]) -> dict[str, Any]:
    """Tell everything else, as GET /info does."""
    states = [container.state["Status"] for container in engine.containers]
    running, paused = sum(state in ("running", "restarting") for state in states), states.count("paused")
    made: dict[str, Any] = {
        "ID": engine.identity,
        "Containers": len(states),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": len(states) - running - paused,
        "Images": len(engine.images.all),
        "Driver": "copy",
        "DriverStatus": [["Isolation", engine.rung.name]],
        "Plugins": dict(PLUGINS),
    }
    made |= _abilities(engine, asked)
    made |= _machine(engine)
    made |= {
        "DefaultRuntime": "dockerlab",
        "Swarm": {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "inactive",
            "ControlAvailable": False,
            "Error": "",
            "RemoteManagers": None,
        },
        "LiveRestoreEnabled": True,
        "Isolation": "",
        "InitBinary": "",
        **{name: {"ID": ""} for name in COMMITS},
        "SecurityOptions": [f"name=dockerlab,isolation={engine.rung.name}"],
        "CDISpecDirs": [],
        "Warnings": [f"WARNING: {LEARNING}", f"WARNING: {engine.rung.sentence}"],
    }
    if asked < (1, 42):
        del made["CDISpecDirs"]
    if asked < (1, 49):
        for name in COMMITS:
            made[name]["Expected"] = ""
    return made


def _abilities(engine: Engine, asked: tuple[int, ...]) -> dict[str, Any]:
    """Tell which limits this machine lets us set; all others are kept and shown only."""
    places = engine.groups.places
    names = {
        "MemoryLimit": "memory" in places,
        "SwapLimit": False,
        "CpuCfsPeriod": "cpu" in places,
        "CpuCfsQuota": "cpu" in places,
        "CPUShares": "cpu" in places,
        "CPUSet": "cpuset" in places,
        "PidsLimit": "pids" in places,
        "IPv4Forwarding": False,
    }
    if asked < (1, 42):
        pairs = list(names.items())
        names = dict([*pairs[:2], ("KernelMemory", False), ("KernelMemoryTCP", False), *pairs[2:]])
    if asked < (1, 50):
        names |= {"BridgeNfIptables": False, "BridgeNfIp6tables": False}
    return {**names, "Debug": False}


def _machine(engine: Engine) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    release = _release()
    return {
        "NFd": len(list(Path("/proc/self/fd").iterdir())),
        "OomKillDisable": False,
        "NGoroutines": 0,
        "SystemTime": now(),
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs" if engine.groups.places else "none",
        "CgroupVersion": "2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "1",
        "NEventsListener": len(engine.events),
        "KernelVersion": platform.release(),
        "OperatingSystem": release.get("PRETTY_NAME", "Linux"),
        "OSVersion": release.get("VERSION_ID", ""),
        "OSType": "linux",
        "Architecture": platform.machine(),
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {"InsecureRegistryCIDRs": [], "IndexConfigs": {}, "Mirrors": []},
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": memory,
        "GenericResources": None,
        "DockerRootDir": str(engine.state),
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "Name": socket.gethostname(),
        "Labels": [],
        "ExperimentalBuild": False,
        "ServerVersion": __version__,
        "Runtimes": {"dockerlab": {"path": "dockerlab"}},
    }


def _release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
