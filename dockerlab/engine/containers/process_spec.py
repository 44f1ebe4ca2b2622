"""Turns a container's record, or an exec's arguments, into the specification of the process that the shim starts."""

from __future__ import annotations

import base64
import resource
import shutil
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import host_programs, json_files
from dockerlab.engine.containers import log_options, security_options
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images.base_image import DEFAULT_PATH
from dockerlab.engine.networks import hosts_files, links
from dockerlab.engine.processes import capabilities, devices
from dockerlab.engine.processes.isolation import NAMESPACES, PROOT
from dockerlab.engine.processes.process import ProcessSpec, require_sysctls
from dockerlab.engine.storage import mount_points, users

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.processes.cgroups import Cgroup
    from dockerlab.engine.processes.isolation import Rung

__all__ = ["EXEC_ERROR_PREFIX", "container_spec", "exec_spec", "rlimits"]

EXEC_ERROR_PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: "
#: Namespaces of a container, in the order in which they are entered.
KINDS = ("pid", "mnt", "uts", "ipc", "net")
#: Where HostConfig says whose namespace to use: `host`, or `container:NAME`.
MODES = {"pid": "PidMode", "ipc": "IpcMode", "uts": "UTSMode", "net": "NetworkMode"}
Document = dict[str, Any]
Find = Callable[[str], "ContainerRecord"]


def container_spec(
    record: ContainerRecord, rung: Rung, cgroup: Cgroup | None, prepared: dict[str, str], find: Find
) -> ProcessSpec:
    """Return the specification of a container's main process.

    `prepared` has the paths of namespaces that were made for this container before, by kind. Raises LookupError for an
    unknown user, and Fault.
    """
    config, host = record.config, record.host_config
    privileged, abilities = host["Privileged"], rung.gives
    user, groups = users.user_ids(record.root, config["User"])
    return ProcessSpec(
        argv=record.command,
        env=_environment(config, record.root, config["User"]) | links.environment(record, find),
        rootfs=str(record.root),
        cwd=config["WorkingDir"] or "/",
        hostname=config["Hostname"],
        domainname=config["Domainname"],
        tracer=_tracer(rung),
        **log_options.shim_settings(record),
        tty=config["Tty"],
        size=host["ConsoleSize"] if any(host["ConsoleSize"]) else [],
        stdin=config["OpenStdin"],
        user=user if "users" in abilities else (0, 0),
        can_change_user="users" in abilities and rung.name != PROOT,
        groups=sorted({*groups, *users.group_ids(record.root, host["GroupAdd"] or [])}),
        **_namespaces(host, abilities, prepared, find),
        cgroups=cgroup.create(host, devices.rules(host) if _filters_devices(rung) else []) if cgroup else [],
        mounts=_mounts(record) if "mounts" in abilities else [],
        privileged=privileged,
        **_devices(host, rung),
        readonly=host["ReadonlyRootfs"],
        masked=[] if privileged else host["MaskedPaths"] or [],
        readonly_paths=[] if privileged else host["ReadonlyPaths"] or [],
        shm_size=host["ShmSize"] or 64 << 20,
        caps=_capabilities(host, rung),
        **_security(host, rung),
        rlimits=_rlimits_with_memory(host, bool(cgroup)),
        oom_score_adj=host["OomScoreAdj"],
        init=bool(host.get("Init")),
    )


def exec_spec(record: ContainerRecord, rung: Rung, cgroup: Cgroup | None, arguments: Document) -> ProcessSpec:
    """Return the specification of a process that is started in a running container.

    `arguments` is the body of the request that created the exec. Raises LookupError for an unknown user.
    """
    config, host = record.config, record.host_config
    pid, abilities = record.state["Pid"], rung.gives
    user_name = arguments.get("User") or config["User"]
    user, groups = users.user_ids(record.root, user_name)
    env = _environment({**config, "Tty": arguments.get("Tty")}, record.root, user_name)
    env |= _pairs(arguments.get("Env"))
    return ProcessSpec(
        argv=arguments["Cmd"],
        env=env,
        rootfs=str(record.root),
        cwd=arguments.get("WorkingDir") or config["WorkingDir"] or "/",
        tracer=_tracer(rung),
        mounts=_mounts(record) if rung.name == PROOT else [],
        error_prefix=EXEC_ERROR_PREFIX,
        tty=bool(arguments.get("Tty")),
        size=list(arguments.get("ConsoleSize") or []),
        stdin=bool(arguments.get("AttachStdin")),
        user=user if "users" in abilities else (0, 0),
        can_change_user="users" in abilities and rung.name != PROOT,
        groups=groups,
        namespaces={kind: f"/proc/{pid}/ns/{kind}" for kind in KINDS} if "namespaces" in abilities else {},
        cgroups=cgroup.directories() if cgroup else [],
        caps=_capabilities({"Privileged": True} if arguments.get("Privileged") else host, rung),
        **_security(host, rung),
        container_pid=pid,
        joined=_start_ticks([record]) if "namespaces" in abilities else {},
    )


def _filters_devices(rung: Rung) -> bool:
    """Tell whether a control group keeps containers from other devices; in a user namespace the kernel itself does."""
    return rung.name == NAMESPACES and "device filter" in rung.gives


def _devices(host: Document, rung: Rung) -> dict[str, Any]:
    requested = devices.requested_devices(host) if "devices" in rung.gives else []
    return {"devices": requested, "device_filter": _filters_devices(rung)}


def _capabilities(host: Document, rung: Rung) -> list[int] | None:
    if "capabilities" not in rung.gives:
        return None
    return capabilities.allowed(host, can_make_devices=rung.name != NAMESPACES or "device filter" in rung.gives)


def _security(host: Document, rung: Rung) -> dict[str, Any]:
    """Return the settings that a container and all its execs have, even a privileged exec."""
    has_filter = "seccomp" in rung.gives
    program = security_options.seccomp_program(host, capabilities.names(host)) if has_filter else b""
    return {
        "seccomp": base64.b64encode(program).decode(),
        "no_new_privs": security_options.read(host).no_new_privileges,
    }


def _tracer(rung: Rung) -> list[str]:
    """Return the program that shows a container its own files, and the shell for it, on the rung that needs one."""
    if rung.name != PROOT:
        return []
    return [shutil.which(PROOT) or PROOT, host_programs.find_busybox()]


def _environment(config: Document, root: Path, user: str) -> dict[str, str]:
    env = {"PATH": DEFAULT_PATH, "HOSTNAME": config["Hostname"]}
    if config["Tty"]:
        env["TERM"] = "xterm"
    env |= _pairs(config["Env"])
    env.setdefault("HOME", users.home_directory(root, user))
    return env


def _pairs(entries: list[str] | None) -> dict[str, str]:
    """Return the variables with a name; an image may contain entries without one."""
    return {name: value for name, _, value in (entry.partition("=") for entry in entries or []) if name}


def _mounts(record: ContainerRecord) -> list[Document]:
    """Return what the shim mounts for a container: its binds, volumes and tmpfs, and the files for its network."""
    points = record.mount_points
    mounts = [
        {"kind": "bind", "source": point["Source"], "target": point["Destination"], "readonly": not point["RW"]}
        for point in points
        if point["Type"] != "tmpfs"
    ]
    mounts += mount_points.tmpfs_mounts(record.host_config, points)
    mounts += hosts_files.mounts(record, {mount["target"] for mount in mounts})
    return sorted(mounts, key=lambda mount: str(mount["target"]))


def _namespaces(host: Document, abilities: Container[str], prepared: dict[str, str], find: Find) -> Document:
    """Return the namespaces of a container, the processes whose namespaces it joins, and its kernel settings.

    Raises BadParameter, and StartFailed for a setting that does not belong to its namespaces.
    """
    if "namespaces" not in abilities:
        return {}
    namespaces, others = {}, []
    for kind in KINDS:
        mode = str(host.get(MODES.get(kind, ""), "") or "")
        if mode.startswith("container:"):
            other = find(mode.partition(":")[2])
            if not other.is_running:
                raise BadParameter(f"cannot join {kind} of a non running container: {other.id}")
            namespaces[kind] = f"/proc/{other.state['Pid']}/ns/{kind}"
            others.append(other)
        elif mode != "host":
            namespaces[kind] = prepared.get(kind, "new")
    sysctls = host.get("Sysctls") or {}
    require_sysctls(sysctls, namespaces)
    return {"namespaces": namespaces, "joined": _start_ticks(others), "sysctls": sysctls}


def _start_ticks(records: Iterable[ContainerRecord]) -> dict[str, int]:
    """Return pid and start time of main processes: a pid may belong to another process as soon as they have ended."""
    facts = (json_files.read(record.directory / "pid.json") for record in records)
    return {str(each["pid"]): each["ticks"] for each in facts if each}


def rlimits(host: Document) -> list[tuple[int, int, int]]:
    """Return `Ulimits` as the numbers of setrlimit. Raises BadParameter for an unknown name."""
    limits = []
    for limit in host.get("Ulimits") or []:
        name = limit.get("Name") or ""
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is None:
            raise BadParameter(f"invalid ulimit type: {name}")
        soft, hard = limit.get("Soft") or 0, limit.get("Hard") or 0
        if hard != -1 and (soft > hard or soft == -1):
            raise BadParameter(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
        limits.append((number, soft, hard))
    return limits


def _rlimits_with_memory(host: Document, has_cgroup: bool) -> list[tuple[int, int, int]]:
    """Return the limits of each process. Without a cgroup, the memory limit applies to the data of each process."""
    limits = rlimits(host)
    if host["Memory"] and not has_cgroup:
        limits.append((resource.RLIMIT_DATA, host["Memory"], host["Memory"]))
    return limits
