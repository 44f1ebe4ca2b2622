"""The engine and this machine as JSON: version and info. Every field stands in Docker's order."""

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
NO_SANDBOX = "This practice engine is a learning tool, not a sandbox. Run only what you would run without it."


def version(engine: Engine) -> dict[str, Any]:
    """Return the document of GET /version."""
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


def info(engine: Engine, api_version: tuple[int, ...]) -> dict[str, Any]:
    """Return the document of GET /info."""
    states = [container.state["Status"] for container in engine.containers]
    running, paused = sum(state in ("running", "restarting") for state in states), states.count("paused")
    document: dict[str, Any] = {
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
    document |= _limits(engine, api_version)
    document |= _machine(engine)
    document |= {
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
        "SecurityOptions": _security_options(engine),
        "CDISpecDirs": [],
        "Warnings": [f"WARNING: {sentence}" for sentence in (NO_SANDBOX, *engine.rung.warnings())],
    }
    if api_version < (1, 42):
        del document["CDISpecDirs"]
    if api_version < (1, 49):
        for name in COMMITS:
            document[name]["Expected"] = ""
    return document


def _security_options(engine: Engine) -> list[str]:
    has_seccomp = "seccomp" in engine.rung.gives
    return [*(["name=seccomp,profile=builtin"] if has_seccomp else []), f"name=dockerlab,isolation={engine.rung.name}"]


def _limits(engine: Engine, api_version: tuple[int, ...]) -> dict[str, Any]:
    """Return which limits the engine can set on this machine. It stores and shows the others."""
    controllers = engine.groups.places
    limits = {
        "MemoryLimit": "memory" in controllers,
        "SwapLimit": False,
        "CpuCfsPeriod": "cpu" in controllers,
        "CpuCfsQuota": "cpu" in controllers,
        "CPUShares": "cpu" in controllers,
        "CPUSet": "cpuset" in controllers,
        "PidsLimit": "pids" in controllers,
        "IPv4Forwarding": False,
    }
    if api_version < (1, 42):
        pairs = list(limits.items())
        limits = dict([*pairs[:2], ("KernelMemory", False), ("KernelMemoryTCP", False), *pairs[2:]])
    if api_version < (1, 50):
        limits |= {"BridgeNfIptables": False, "BridgeNfIp6tables": False}
    return {**limits, "Debug": False}


def _machine(engine: Engine) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    os_release = _os_release()
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
        "OperatingSystem": os_release.get("PRETTY_NAME", "Linux"),
        "OSVersion": os_release.get("VERSION_ID", ""),
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


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
