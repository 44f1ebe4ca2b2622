"""What Docker fills in at create: every field in its order, nulls where it sends nulls."""

from __future__ import annotations

import copy
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers.protected import MASKED, READ_ONLY

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["config", "host_config", "without_effect"]

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
#: Docker leaves these out when nobody has set them.
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
#: Docker leaves these out when nobody has set them.
HOST_OMITTED = {"StorageOpt", "Tmpfs", "Sysctls", "Mounts", "Init", "Annotations"}
#: What the practice engine acts on everywhere, or what needs no acting.
OBEYED = {
    *("Annotations", "AutoRemove", "CgroupnsMode", "ConsoleSize", "ContainerIDFile", "Init", "Isolation", "LogConfig"),
    *("Memory", "MemorySwap", "OomScoreAdj", "RestartPolicy", "Runtime", "Ulimits"),
}
#: What it acts on where the rung has the ability to.
ABLE = {
    "mounts": {"Binds", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "Mounts", "VolumesFrom"},
    "mount options": {"MaskedPaths", "ReadonlyPaths", "ReadonlyRootfs", "ShmSize", "Tmpfs"},
    "namespaces": {"IpcMode", "PidMode", "Sysctls", "UTSMode"},
    "network": {"Links", "NetworkMode", "PortBindings", "PublishAllPorts"},
    "capabilities": {"CapAdd", "CapDrop", "Privileged", "SecurityOpt"},
    "devices": {"Devices"},
    "users": {"GroupAdd"},
}
#: What needs control groups.
LIMITS = {
    *("CpuPeriod", "CpuQuota", "CpuShares", "CpusetCpus", "CpusetMems", "MemoryReservation", "NanoCpus", "PidsLimit"),
}


def config(asked: dict[str, Any], image: dict[str, Any], name: str, short_id: str) -> dict[str, Any]:
    """Merge what was asked for with what the image brings, as Docker does."""
    made = copy.deepcopy(CONFIG)
    made.update({key: value for key, value in asked.items() if key in CONFIG and value is not None})
    made["Hostname"] = made["Hostname"] or short_id
    made["Image"] = name
    own = {entry.partition("=")[0] for entry in made["Env"] or []}
    brought = [entry for entry in image.get("Env") or [] if entry.partition("=")[0] not in own]
    made["Env"] = [*(made["Env"] or []), *brought]
    if not made["Entrypoint"]:
        if not made["Cmd"]:
            made["Cmd"] = image.get("Cmd")
        if made["Entrypoint"] is None:
            made["Entrypoint"] = image.get("Entrypoint")
    elif made["Entrypoint"] == [""]:
        made["Entrypoint"] = None  # which is how a client says that the image's isn't wanted
    made["Healthcheck"] = _health_check(made["Healthcheck"], image.get("Healthcheck"))
    for key in ("WorkingDir", "User", "StopSignal", "Shell"):
        made[key] = made[key] or image.get(key) or CONFIG[key]
    for key in ("Volumes", "ExposedPorts"):
        made[key] = {**(image.get(key) or {}), **(made[key] or {})} or None
    made["Labels"] = {**(image.get("Labels") or {}), **(made["Labels"] or {})}
    return {key: value for key, value in made.items() if value is not None or key not in OMITTED}


def _health_check(asked: dict[str, Any] | None, brought: dict[str, Any] | None) -> dict[str, Any] | None:
    """Fill up what was asked for with what the image brings; zeros are nothing, and left out."""
    made = {**(brought or {}), **{key: value for key, value in (asked or {}).items() if value}}
    return {key: value for key, value in made.items() if value} or None


def host_config(asked: dict[str, Any]) -> dict[str, Any]:
    """Fill up a HostConfig."""
    made = copy.deepcopy(HOST_CONFIG)
    # the docker command sends "" and 0 for what nobody has chosen, and -1 and 0 for no limit
    made.update({key: asked[key] for key in HOST_CONFIG if key in asked and (asked[key] or not HOST_CONFIG[key])})
    if made["NetworkMode"] == "default":
        made["NetworkMode"] = HOST_CONFIG["NetworkMode"]
    if made["MemorySwappiness"] == -1:
        made["MemorySwappiness"] = None
    if made["PidsLimit"] in (0, -1):
        made["PidsLimit"] = None
    if made["Memory"] > 0 and not made["MemorySwap"]:
        made["MemorySwap"] = made["Memory"] * 2
    policy = made["RestartPolicy"] or {}
    made["RestartPolicy"] = {
        "Name": policy.get("Name") or "no",
        "MaximumRetryCount": policy.get("MaximumRetryCount") or 0,
    }
    log = made["LogConfig"] or {}
    made["LogConfig"] = {"Type": log.get("Type") or "json-file", "Config": log.get("Config") or {}}
    if made["Ulimits"]:
        made["Ulimits"] = [{key: limit.get(key) for key in ("Name", "Hard", "Soft")} for limit in made["Ulimits"]]
    return {key: value for key, value in made.items() if value is not None or key not in HOST_OMITTED}


def without_effect(
    record: ContainerRecord, requested_host: Document, abilities: Container[str], has_cgroups: bool
) -> list[str]:
    """Name the settings that are kept and shown, and that the practice engine does not act on."""
    obeyed = OBEYED | (LIMITS if has_cgroups else set())
    obeyed = obeyed.union(*(fields for ability, fields in ABLE.items() if ability in abilities))
    fields = [
        f"HostConfig.{key}"
        for key, value in requested_host.items()
        if key not in obeyed and value and value != HOST_CONFIG.get(key) and value not in ("default", "host", -1)
    ]
    user = record.config["User"].partition(":")[0]
    if "users" not in abilities and user not in ("", "0", "root"):
        fields.append("Config.User")
    if "mounts" in abilities and "mount options" not in abilities:
        places = [point for point in record.mount_points if not point["RW"] or point["Type"] == "tmpfs"]
        fields += [f"The kind of mount of {point['Destination']}" for point in places]
    return [f"{field} is kept, and has no effect on the practice engine." for field in fields]
