"""Wide tables of inspections: one row per object, one column per scalar field; nested values stay as they are."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import BOOLEAN, INTEGER, MAX_INTEGER, OBJECT, TEXT, TIME, Column, array_table, object_list

__all__ = ["CONTAINERS", "IMAGES", "container_inspections", "image_inspections"]


def _text(value: Any) -> str | None:
    """Return a text; engines send an empty one for a missing value."""
    return str(value) or None


def _name(value: Any) -> str | None:
    return str(value).removeprefix("/") or None


def _strict_integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INTEGER:
        return None
    return value


def _joined(value: Any) -> str | None:
    names = value if isinstance(value, list) else [value]
    return ", ".join(str(name) for name in names if not str(name).startswith("<none>")) or None


def _text_column(key: str, name: str, doc: str) -> Column:
    return Column(name, key, TEXT, doc, "", _text)


def _integer_column(key: str, name: str, doc: str, unit: str = "") -> Column:
    return Column(name, key, INTEGER, doc, unit, _strict_integer)


def _boolean_column(key: str, name: str, doc: str) -> Column:
    return Column(name, key, BOOLEAN, doc)


CONTAINERS = (
    _text_column("Id", "id", "its id, with all 64 digits"),
    Column("name", "Name", TEXT, "its name, without the slash", convert=_name),
    _text_column("Config.Image", "image", "the image, as given in the create request"),
    _text_column("Image", "image_id", "the image's id"),
    _text_column("State.Status", "state", "one of created, running, paused, restarting, exited, dead"),
    _boolean_column("State.Running", "running", "is it running or paused?"),
    _boolean_column("State.Paused", "paused", "is it paused?"),
    _boolean_column("State.OOMKilled", "oom_killed", "was it killed because it exceeded its memory limit?"),
    _integer_column("State.ExitCode", "exit_code", "its last exit code; also 0 if it has never exited"),
    _text_column("State.Error", "error", "why it could not start"),
    _text_column("State.Health.Status", "health", "starting, healthy or unhealthy, if it has a health check"),
    Column("created", "Created", TIME, "when it was created", "UTC"),
    Column("started", "State.StartedAt", TIME, "when it last started; NaT if never", "UTC"),
    Column("finished", "State.FinishedAt", TIME, "when it last exited; NaT if never", "UTC"),
    _integer_column("RestartCount", "restart_count", "how often its restart policy restarted it"),
    _text_column("HostConfig.RestartPolicy.Name", "restart_policy", "no, always, unless-stopped, on-failure"),
    _integer_column("HostConfig.RestartPolicy.MaximumRetryCount", "restart_limit", "limit of on-failure; 0 means none"),
    _boolean_column("HostConfig.AutoRemove", "auto_remove", "is it removed when it exits?"),
    Column("command", "command", TEXT, "the command it runs, as one string, quoted for a shell"),
    _text_column("Config.User", "user", "the user it runs as; <NA> means the image's user, or root"),
    _text_column("Config.WorkingDir", "working_dir", "its working directory"),
    _text_column("Config.Hostname", "hostname", "its host name"),
    _boolean_column("Config.Tty", "tty", "does it have a terminal?"),
    _text_column("Config.StopSignal", "stop_signal", "the signal that stops it; <NA> means TERM"),
    _boolean_column("HostConfig.Privileged", "privileged", "does it have all privileges of the machine's root?"),
    _boolean_column("HostConfig.ReadonlyRootfs", "readonly_rootfs", "is its root file system read-only?"),
    _text_column("HostConfig.NetworkMode", "network_mode", "the network it was created with"),
    _text_column("HostConfig.PidMode", "pid_mode", "host: it sees the machine's processes"),
    _text_column("HostConfig.IpcMode", "ipc_mode", "host: it uses the machine's shared memory"),
    _text_column("HostConfig.UTSMode", "uts_mode", "host: it can change the machine's name"),
    _text_column("HostConfig.UsernsMode", "userns_mode", "host: users are not mapped, if the engine maps users"),
    _text_column("HostConfig.CgroupnsMode", "cgroupns_mode", "host or private"),
    _integer_column("HostConfig.Memory", "memory_limit_bytes", "its memory limit; 0 means none", "bytes"),
    _integer_column("HostConfig.MemorySwap", "memory_swap_bytes", "limit of memory plus swap; -1 means none", "bytes"),
    _integer_column("HostConfig.NanoCpus", "nano_cpus", "its limit in billionths of a processor; 0 means none"),
    _integer_column("HostConfig.CpuShares", "cpu_shares", "its processor weight; 0 means the default, 1024"),
    _integer_column("HostConfig.CpuQuota", "cpu_quota_us", "processor time per period; 0 means no limit", "us"),
    _integer_column("HostConfig.CpuPeriod", "cpu_period_us", "the length of a period; 0 means the default", "us"),
    _integer_column("HostConfig.PidsLimit", "pids_limit", "its process limit; <NA>, 0 and -1 mean none"),
    _text_column("HostConfig.LogConfig.Type", "log_driver", "its log driver"),
    _text_column("HostConfig.Runtime", "runtime", "the OCI runtime"),
    _text_column("Driver", "driver", "the storage driver"),
    _text_column("Platform", "platform", "its operating system"),
    _integer_column("SizeRw", "size_rw_bytes", "the size of the files it wrote; only with size=True", "bytes"),
    _integer_column("SizeRootFs", "size_root_fs_bytes", "the size of all its files; only with size=True", "bytes"),
    Column("ports", "NetworkSettings.Ports", OBJECT, "open ports: host addresses by container port"),
    Column("exposed_ports", "Config.ExposedPorts", OBJECT, "the ports it exposes, by name"),
    Column("port_bindings", "HostConfig.PortBindings", OBJECT, "requested ports: host addresses by container port"),
    Column("mounts", "Mounts", OBJECT, "its mounts, a list"),
    Column("env", "Config.Env", OBJECT, "its environment, a list of NAME=value"),
    Column("labels", "Config.Labels", OBJECT, "its labels, a dict"),
    Column("networks", "NetworkSettings.Networks", OBJECT, "its networks by name"),
    Column("cap_add", "HostConfig.CapAdd", OBJECT, "capabilities added to the default ones"),
    Column("cap_drop", "HostConfig.CapDrop", OBJECT, "default capabilities that were removed"),
    Column("security_opt", "HostConfig.SecurityOpt", OBJECT, "options such as no-new-privileges, a list"),
    Column("devices", "HostConfig.Devices", OBJECT, "devices of the machine that it can use"),
)

IMAGES = (
    _text_column("Id", "id", "its id"),
    Column("repo_tags", "RepoTags", TEXT, "its names, separated by commas", convert=_joined),
    Column("repo_digests", "RepoDigests", TEXT, "its names by digest", convert=_joined),
    Column("created", "Created", TIME, "when it was built", "UTC"),
    _integer_column("Size", "size_bytes", "the size of all its layers", "bytes"),
    _text_column("Architecture", "architecture", "its processor architecture"),
    _text_column("Os", "os", "its operating system"),
    _text_column("Author", "author", "its author"),
    _text_column("DockerVersion", "docker_version", "the version of the engine that built it"),
    _text_column("Parent", "parent_id", "the image it was built from, if the engine knows it"),
    Column("entrypoint", "Config.Entrypoint", OBJECT, "the command that always runs, a list"),
    Column("cmd", "Config.Cmd", OBJECT, "the default command, or the default arguments of the entrypoint, a list"),
    _text_column("Config.User", "user", "the user its containers run as; <NA> means root"),
    _text_column("Config.WorkingDir", "working_dir", "the working directory of its containers"),
    _text_column("Config.StopSignal", "stop_signal", "the signal that stops its containers; <NA> means TERM"),
    Column("exposed_ports", "Config.ExposedPorts", OBJECT, "the ports it exposes, by name"),
    Column("volumes", "Config.Volumes", OBJECT, "directories that get a volume, by path"),
    Column("healthcheck", "Config.Healthcheck", OBJECT, "its health check"),
    Column("env", "Config.Env", OBJECT, "its environment, a list of NAME=value"),
    Column("labels", "Config.Labels", OBJECT, "its labels, a dict"),
    Column("layers", "RootFS.Layers", OBJECT, "the digests of its layers, the lowest first"),
)


def container_inspections(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Return one row per document of ContainerInspect."""
    records = [{**document, "command": _command(document)} for document in object_list(documents)]
    return array_table(CONTAINERS, records)


def image_inspections(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Return one row per document of ImageInspect."""
    return array_table(IMAGES, documents)


def _command(document: dict[str, Any]) -> str | None:
    arguments = document.get("Args")
    words = [document.get("Path"), *(arguments if isinstance(arguments, list) else [])]
    return shlex.join(str(word) for word in words if word is not None) or None
