"""What the shim is told: a container's record, or an exec's, turned into what is to be started on a rung."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import host_programs
from dockerlab.engine.containers import log_options
from dockerlab.engine.faults import BadParameter, Fault
from dockerlab.engine.networks import hosts_files
from dockerlab.engine.processes import capabilities
from dockerlab.engine.processes.isolation import PROOT
from dockerlab.engine.processes.process import ProcessSpec
from dockerlab.engine.storage import mount_points, users

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container

__all__ = ["EXEC_ERROR_PREFIX", "PATH", "container_spec", "exec_spec", "rlimits"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EXEC_ERROR_PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: "
#: Namespaces of a container, in the order in which they are entered.
KINDS = ("pid", "mnt", "uts", "ipc", "net")
#: Where HostConfig says whose namespace to use: `host`, or `container:NAME`.
MODES = {"pid": "PidMode", "ipc": "IpcMode", "uts": "UTSMode", "net": "NetworkMode"}
Record = dict[str, Any]


def container_spec(container: Container) -> ProcessSpec:
    """Say how a container is started. Raises LookupError for an unknown user, Fault."""
    config, host = container.record["Config"], container.record["HostConfig"]
    privileged, gives = host["Privileged"], container.rung.gives
    user, groups = users.user_ids(container.root, config["User"])
    groups = sorted({*groups, *(_group(container.root, name) for name in host["GroupAdd"] or [])})
    return ProcessSpec(
        argv=[container.record["Path"], *container.record["Args"]],
        env=_environment(config, container.root, config["User"]) | hosts_files.environment(container),
        rootfs=str(container.root),
        cwd=config["WorkingDir"] or "/",
        hostname=config["Hostname"],
        domainname=config["Domainname"],
        tracer=_tracer(container),
        log_path="" if host["LogConfig"]["Type"] == "none" else str(container.log_path),
        **log_options.kept(container.record),
        tty=config["Tty"],
        size=host["ConsoleSize"] if any(host["ConsoleSize"]) else [],
        stdin=config["OpenStdin"],
        user=user if "users" in gives else (0, 0),
        can_change_user="users" in gives and container.rung.name != PROOT,
        groups=groups,
        namespaces=_namespaces(container),
        cgroups=container.cgroup.create(host) if container.cgroup else [],
        mounts=mount_points.of_container(container) if "mounts" in gives else [],
        privileged=privileged,
        devices=_devices(host) if "devices" in gives else [],
        readonly=host["ReadonlyRootfs"],
        masked=[] if privileged else host["MaskedPaths"] or [],
        readonly_paths=[] if privileged else host["ReadonlyPaths"] or [],
        shm_size=host["ShmSize"] or 64 << 20,
        sysctls=host.get("Sysctls") or {},
        caps=capabilities.allowed(host) if "capabilities" in gives else None,
        no_new_privs=any(
            word.startswith("no-new-privileges") and "false" not in word for word in host["SecurityOpt"] or []
        ),
        rlimits=_rlimits(host, bool(container.cgroup)),
        oom_score_adj=host["OomScoreAdj"],
        init=bool(host.get("Init")),
    )


def exec_spec(container: Container, asked: Record) -> ProcessSpec:
    """Say how a program is started in a container that runs. Raises LookupError for an unknown user."""
    assert container.running is not None  # noqa: S101  (the caller looked)
    config, host = container.record["Config"], container.record["HostConfig"]
    pid, gives = container.running.pid, container.rung.gives
    apart = KINDS if "namespaces" in gives else ()
    name = asked.get("User") or config["User"]
    user, groups = users.user_ids(container.root, name)
    env = _environment({**config, "Tty": asked.get("Tty")}, container.root, name)
    env |= _pairs(asked.get("Env"))
    return ProcessSpec(
        argv=asked["Cmd"],
        env=env,
        rootfs=str(container.root),
        cwd=asked.get("WorkingDir") or config["WorkingDir"] or "/",
        tracer=_tracer(container),
        mounts=mount_points.of_container(container) if container.rung.name == PROOT else [],
        error_prefix=EXEC_ERROR_PREFIX,
        tty=bool(asked.get("Tty")),
        size=list(asked.get("ConsoleSize") or []),
        stdin=bool(asked.get("AttachStdin")),
        user=user if "users" in gives else (0, 0),
        can_change_user="users" in gives and container.rung.name != PROOT,
        groups=groups,
        namespaces={kind: f"/proc/{pid}/ns/{kind}" for kind in apart},
        cgroups=container.cgroup.directories() if container.cgroup else [],
        caps=capabilities.allowed({"Privileged": True} if asked.get("Privileged") else host)
        if "capabilities" in gives
        else None,
        no_new_privs=any(word.startswith("no-new-privileges") for word in host["SecurityOpt"] or []),
        container_pid=pid,
    )


def _tracer(container: Container) -> list[str]:
    """Give the program that shows a container its own files, and its shell, on the rung that has one."""
    if container.rung.name != PROOT:
        return []
    return [shutil.which(PROOT) or PROOT, host_programs.find()]


def _environment(config: Record, root: Path, user: str) -> dict[str, str]:
    env = {"PATH": PATH, "HOSTNAME": config["Hostname"]}
    if config["Tty"]:
        env["TERM"] = "xterm"
    env |= _pairs(config["Env"])
    env.setdefault("HOME", users.home_directory(root, user))
    return env


def _pairs(entries: list[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (entry.partition("=") for entry in entries or [])}


def _group(root: Path, name: str) -> int:
    """Give the number of a group that HostConfig adds. Raises LookupError."""
    return users.user_ids(root, f"0:{name}")[0][1]


def _namespaces(container: Container) -> dict[str, str]:
    """Say for each kind: a new one, the path of somebody's, or nothing for this machine's own."""
    host, found = container.record["HostConfig"], {}
    for kind in KINDS if "namespaces" in container.rung.gives else ():
        mode = str(host.get(MODES.get(kind, ""), "") or "")
        if mode.startswith("container:"):
            other = container.find(mode.partition(":")[2])
            if other.running is None:
                raise BadParameter(f"cannot join {kind} of a non running container: {other.id}")
            found[kind] = f"/proc/{other.running.pid}/ns/{kind}"
        elif mode != "host":
            found.setdefault(kind, container.spaces.get(kind, "new"))
    return found


def _devices(host: Record) -> list[dict[str, str]]:
    asked = [
        {"source": entry["PathOnHost"], "target": entry.get("PathInContainer") or entry["PathOnHost"]}
        for entry in host["Devices"] or []
    ]
    for entry in asked:
        if not Path(entry["source"]).exists():
            device = f'"{entry["source"]}": no such file or directory'
            raise Fault(f"error gathering device information while adding custom device {device}")
    return asked


def rlimits(host: Record) -> list[tuple[int, int, int]]:
    """Read `Ulimits`. Raises BadParameter for a name that there is not."""
    found = []
    for limit in host.get("Ulimits") or []:
        number = getattr(resource, f"RLIMIT_{limit['Name'].upper()}", None)
        if number is None:
            raise BadParameter(f"invalid ulimit type: {limit['Name']}")
        soft, hard = limit.get("Soft") or 0, limit.get("Hard") or 0
        if hard != -1 and (soft > hard or soft == -1):
            raise BadParameter(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
        found.append((number, soft, hard))
    return found


def _rlimits(host: Record, limited: bool) -> list[tuple[int, int, int]]:
    """Without cgroups a limit of memory holds for each process, as its data."""
    found = rlimits(host)
    if host["Memory"] and not limited:
        found.append((resource.RLIMIT_DATA, host["Memory"], host["Memory"]))
    return found
