"""The defaults that Docker fills in when it creates a container, with every field in Docker's order.

A null stands where Docker sends null.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers import security_options
from dockerlab.engine.processes.isolation import NAMESPACES

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.processes.isolation import Rung

__all__ = ["complete", "config", "host_config", "warnings_without_effect"]

Document = dict[str, Any]

CONFIG: dict[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "ExposedPorts": None,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": [],
    "Cmd": None,
    "Healthcheck": None,
    "ArgsEscaped": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "NetworkDisabled": None,
    "MacAddress": None,
    "OnBuild": None,
    "Labels": {},
    "StopSignal": None,
    "StopTimeout": None,
    "Shell": None,
}
#: Docker leaves these fields out if nobody set them.
OMITTED = {
    "ExposedPorts",
    "Healthcheck",
    "ArgsEscaped",
    "NetworkDisabled",
    "MacAddress",
    "StopSignal",
    "StopTimeout",
    "Shell",
}

#: What Docker hides from a container, and what a container may only read.
MASKED = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

HOST_CONFIG: dict[str, Any] = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "bridge",
    "PortBindings": None,
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "ConsoleSize": [0, 0],
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "private",
    "Dns": None,
    "DnsOptions": None,
    "DnsSearch": None,
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "private",
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "StorageOpt": None,
    "Tmpfs": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 67108864,
    "Sysctls": None,
    "Runtime": "dockerlab",
    "Isolation": "",
    "CpuShares": 0,
    "Memory": 0,
    "NanoCpus": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": None,
    "BlkioDeviceReadBps": None,
    "BlkioDeviceWriteBps": None,
    "BlkioDeviceReadIOps": None,
    "BlkioDeviceWriteIOps": None,
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": None,
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "MemorySwappiness": None,
    "OomKillDisable": False,
    "PidsLimit": None,
    "Ulimits": None,
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "Mounts": None,
    "MaskedPaths": list(MASKED),
    "ReadonlyPaths": list(READ_ONLY),
    "Init": None,
    "Annotations": None,
}
#: Docker leaves these fields out if nobody set them.
HOST_OMITTED = {"StorageOpt", "Tmpfs", "Sysctls", "Mounts", "Init", "Annotations"}
#: The fields that the practice engine acts on everywhere, and those that need no action.
SUPPORTED = {
    *("Annotations", "AutoRemove", "CgroupnsMode", "ConsoleSize", "ContainerIDFile", "Init", "Isolation", "LogConfig"),
    *("Memory", "MemorySwap", "OomScoreAdj", "RestartPolicy", "Runtime", "SecurityOpt", "Ulimits"),
}
#: The fields that it acts on if the rung has an ability.
SUPPORTED_WITH = {
    "mounts": {"Binds", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "Mounts", "VolumesFrom"},
    "mount options": {"MaskedPaths", "ReadonlyPaths", "ReadonlyRootfs", "ShmSize", "Tmpfs"},
    "namespaces": {"IpcMode", "PidMode", "Sysctls", "UTSMode"},
    "network": {"Links", "NetworkMode", "PortBindings", "PublishAllPorts"},
    "capabilities": {"CapAdd", "CapDrop", "Privileged"},
    "devices": {"Devices"},
    "users": {"GroupAdd"},
}
#: The fields that it acts on if there are cgroups.
SUPPORTED_WITH_CGROUPS = {
    *("CpuPeriod", "CpuQuota", "CpuShares", "CpusetCpus", "CpusetMems", "MemoryReservation", "NanoCpus", "PidsLimit"),
}


def complete(document: Document) -> None:
    """Add the settings that the record of an older engine lacks, or that are null there although they can't be."""
    for part, standard in (("Config", CONFIG), ("HostConfig", HOST_CONFIG)):
        settings = document[part]
        for key, value in standard.items():
            if value is not None and settings.get(key) is None:
                settings[key] = copy.deepcopy(value)


def config(body: Document, image: Document, name: str, short_id: str) -> Document:
    """Return the `Config` of a new container: the request merged with the image's configuration, as Docker does.

    `name` is the image as the request names it.
    """
    merged = copy.deepcopy(CONFIG)
    merged.update({key: value for key, value in body.items() if key in CONFIG and value is not None})
    merged["Hostname"] = merged["Hostname"] or short_id
    merged["Image"] = name
    _merge_command(merged, image)
    names = {entry.partition("=")[0] for entry in merged["Env"] or []}
    inherited = [entry for entry in image.get("Env") or [] if entry.partition("=")[0] not in names]
    merged["Env"] = [*(merged["Env"] or []), *inherited]
    merged["Healthcheck"] = _health_check(merged["Healthcheck"], image.get("Healthcheck"))
    for key in ("WorkingDir", "User", "StopSignal", "Shell"):
        merged[key] = merged[key] or image.get(key) or CONFIG[key]
    for key in ("Volumes", "ExposedPorts"):
        merged[key] = {**(image.get(key) or {}), **(merged[key] or {})} or None
    merged["Labels"] = {**(image.get("Labels") or {}), **(merged["Labels"] or {})}
    return {key: value for key, value in merged.items() if value is not None or key not in OMITTED}


def _merge_command(config: Document, image: Document) -> None:
    """Take the image's entrypoint and command. An entrypoint in the request replaces both."""
    if not config["Entrypoint"]:
        if not config["Cmd"]:
            config["Cmd"] = image.get("Cmd")
        if config["Entrypoint"] is None:
            config["Entrypoint"] = image.get("Entrypoint")
    elif config["Entrypoint"] == [""]:
        config["Entrypoint"] = None  # this is how a client removes the image's entrypoint


def _health_check(requested: Document | None, inherited: Document | None) -> Document | None:
    """Return the image's health check with the requested changes. A zero means that a setting is not changed."""
    merged = {**(inherited or {}), **{key: value for key, value in (requested or {}).items() if value}}
    return {key: value for key, value in merged.items() if value} or None


def host_config(requested: Document) -> Document:
    """Return a HostConfig with Docker's defaults for what the request does not set."""
    host = copy.deepcopy(HOST_CONFIG)
    # The docker command sends "" and 0 for settings that nobody chose, and -1 or 0 for "no limit".
    settings = {key: requested[key] for key in HOST_CONFIG if key in requested}
    host.update({key: value for key, value in settings.items() if value or not HOST_CONFIG[key]})
    if host["NetworkMode"] == "default":
        host["NetworkMode"] = HOST_CONFIG["NetworkMode"]
    if host["MemorySwappiness"] == -1:
        host["MemorySwappiness"] = None
    if host["PidsLimit"] in (0, -1):
        host["PidsLimit"] = None
    if host["Memory"] > 0 and not host["MemorySwap"]:
        host["MemorySwap"] = host["Memory"] * 2
    policy = host["RestartPolicy"] or {}
    host["RestartPolicy"] = {
        "Name": policy.get("Name") or "no",
        "MaximumRetryCount": policy.get("MaximumRetryCount") or 0,
    }
    log = host["LogConfig"] or {}
    host["LogConfig"] = {"Type": log.get("Type") or "json-file", "Config": log.get("Config") or {}}
    if host["Ulimits"]:
        host["Ulimits"] = [{key: limit.get(key) for key in ("Name", "Hard", "Soft")} for limit in host["Ulimits"]]
    return {key: value for key, value in host.items() if value is not None or key not in HOST_OMITTED}


def warnings_without_effect(
    record: ContainerRecord, requested_host: Document, rung: Rung, has_cgroups: bool
) -> list[str]:
    """Return a warning for each setting that is stored and shown, but that the practice engine does not act on."""
    abilities = rung.gives
    supported = SUPPORTED | (SUPPORTED_WITH_CGROUPS if has_cgroups else set())
    if "device filter" in abilities and rung.name == NAMESPACES:
        supported = supported | {"DeviceCgroupRules"}
    supported = supported.union(*(fields for ability, fields in SUPPORTED_WITH.items() if ability in abilities))
    fields = [
        f"HostConfig.{key}"
        for key, value in requested_host.items()
        if key not in supported and value and value != HOST_CONFIG.get(key) and value not in ("default", "host", -1)
    ]
    names = security_options.without_effect(requested_host, has_seccomp="seccomp" in abilities)
    fields += [f"The security option {name}" for name in names]
    user = record.config["User"].partition(":")[0]
    if "users" not in abilities and user not in ("", "0", "root"):
        fields.append("Config.User")
    if "mounts" in abilities and "mount options" not in abilities:
        points = [point for point in record.mount_points if not point["RW"] or point["Type"] == "tmpfs"]
        fields += [f"The read-only or tmpfs option of the mount at {point['Destination']}" for point in points]
    return [f"{field} is stored but has no effect on the practice engine." for field in fields]
