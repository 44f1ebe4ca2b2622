"""Wide tables of inspect's documents: one row an object, scalars as columns, what is nested kept as it is."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import BOOLEAN, INTEGER, OBJECT, TEXT, TIME, Column, array_table, object_list

__all__ = ["CONTAINERS", "IMAGES", "container_inspections", "image_inspections"]

LARGEST = (1 << 63) - 1


def _text(value: Any) -> str | None:
    """Take a text; an empty one is no answer."""
    return str(value) or None


def _name(value: Any) -> str | None:
    return str(value).removeprefix("/") or None


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST:
        return None
    return value


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _joined(value: Any) -> str | None:
    """Write a list of names with commas between them."""
    names = value if isinstance(value, list) else [value]
    return ", ".join(str(name) for name in names if not str(name).startswith("<none>")) or None


def _words(key: str, name: str, doc: str) -> Column:
    return Column(name, key, TEXT, doc, "", _text)


def _number(key: str, name: str, doc: str, unit: str = "") -> Column:
    return Column(name, key, INTEGER, doc, unit, _whole)


def _yes_no(key: str, name: str, doc: str) -> Column:
    return Column(name, key, BOOLEAN, doc, "", _flag)


CONTAINERS = (
    _words("Id", "id", "its id, all 64 digits"),
    Column("name", "Name", TEXT, "its name, without the slash", convert=_name),
    _words("Config.Image", "image", "the image as it was asked for"),
    _words("Image", "image_id", "the image's id"),
    _words("State.Status", "state", "machine word: created, running, paused, restarting, exited, dead"),
    _yes_no("State.Running", "running", "does it run, also when it is paused?"),
    _yes_no("State.Paused", "paused", "is it paused?"),
    _yes_no("State.OOMKilled", "oom_killed", "did it want more memory than it may have?"),
    _number("State.ExitCode", "exit_code", "its last exit code; 0 also before it ever ended"),
    _words("State.Error", "error", "why it could not be started"),
    _words("State.Health.Status", "health", "starting, healthy or unhealthy, if it has a check"),
    Column("created", "Created", TIME, "when it was created", "UTC"),
    Column("started", "State.StartedAt", TIME, "when it was last started; NaT for never", "UTC"),
    Column("finished", "State.FinishedAt", TIME, "when it last ended; NaT for never", "UTC"),
    _number("RestartCount", "restart_count", "how often the engine started it anew by its policy"),
    _words("HostConfig.RestartPolicy.Name", "restart_policy", "no, always, unless-stopped, on-failure"),
    _number("HostConfig.RestartPolicy.MaximumRetryCount", "restart_limit", "how often on-failure tries; 0 is for ever"),
    _yes_no("HostConfig.AutoRemove", "auto_remove", "is it removed when it ends?"),
    Column("command", "command", TEXT, "what it runs, in one text, quoted as for a shell"),
    _words("Config.User", "user", "whom it runs as; <NA> is the image's, and root without one"),
    _words("Config.WorkingDir", "working_dir", "where it runs"),
    _words("Config.Hostname", "hostname", "its host name"),
    _yes_no("Config.Tty", "tty", "has it a terminal?"),
    _words("Config.StopSignal", "stop_signal", "the signal that stops it; <NA> is TERM"),
    _yes_no("HostConfig.Privileged", "privileged", "may it do what the machine's root may?"),
    _yes_no("HostConfig.ReadonlyRootfs", "readonly_rootfs", "is its root file system read-only?"),
    _words("HostConfig.NetworkMode", "network_mode", "the network it was created with"),
    _words("HostConfig.PidMode", "pid_mode", "host: it sees the machine's processes"),
    _words("HostConfig.IpcMode", "ipc_mode", "host: it shares the machine's shared memory"),
    _words("HostConfig.UTSMode", "uts_mode", "host: it may change the machine's name"),
    _words("HostConfig.UsernsMode", "userns_mode", "host: its root is the machine's, also where the engine maps users"),
    _words("HostConfig.CgroupnsMode", "cgroupns_mode", "host or private"),
    _number("HostConfig.Memory", "memory_limit_bytes", "its limit of memory; 0 is none", "bytes"),
    _number("HostConfig.MemorySwap", "memory_swap_bytes", "memory and swap together; -1 is no limit", "bytes"),
    _number("HostConfig.NanoCpus", "nano_cpus", "its limit of processors, in billionths; 0 is none"),
    _number("HostConfig.CpuShares", "cpu_shares", "its weight; 0 is the usual 1024"),
    _number("HostConfig.CpuQuota", "cpu_quota_us", "processor time a period; 0 is no limit", "us"),
    _number("HostConfig.CpuPeriod", "cpu_period_us", "the period; 0 is the usual one", "us"),
    _number("HostConfig.PidsLimit", "pids_limit", "its limit of processes; <NA>, 0 and -1 are none"),
    _words("HostConfig.LogConfig.Type", "log_driver", "where its log goes"),
    _words("HostConfig.Runtime", "runtime", "the OCI runtime"),
    _words("Driver", "driver", "the storage driver"),
    _words("Platform", "platform", "its operating system"),
    _number("SizeRw", "size_rw_bytes", "what it wrote; only if asked with size=True", "bytes"),
    _number("SizeRootFs", "size_root_fs_bytes", "all its files; only if asked with size=True", "bytes"),
    Column("ports", "NetworkSettings.Ports", OBJECT, "ports that are open now: addresses by inner port"),
    Column("exposed_ports", "Config.ExposedPorts", OBJECT, "ports that it speaks of, by name"),
    Column("port_bindings", "HostConfig.PortBindings", OBJECT, "ports that it asks for: addresses by inner port"),
    Column("mounts", "Mounts", OBJECT, "its mounts, a list"),
    Column("env", "Config.Env", OBJECT, "its environment, a list of NAME=value"),
    Column("labels", "Config.Labels", OBJECT, "its labels, a dict"),
    Column("networks", "NetworkSettings.Networks", OBJECT, "its networks by name"),
    Column("cap_add", "HostConfig.CapAdd", OBJECT, "capabilities that it has besides the usual ones"),
    Column("cap_drop", "HostConfig.CapDrop", OBJECT, "usual capabilities that it has not"),
    Column("security_opt", "HostConfig.SecurityOpt", OBJECT, "options such as no-new-privileges, a list"),
    Column("devices", "HostConfig.Devices", OBJECT, "devices of the machine that it may use"),
)

IMAGES = (
    _words("Id", "id", "its id"),
    Column("repo_tags", "RepoTags", TEXT, "its names, with commas between them", convert=_joined),
    Column("repo_digests", "RepoDigests", TEXT, "its names by digest", convert=_joined),
    Column("created", "Created", TIME, "when it was built", "UTC"),
    _number("Size", "size_bytes", "all its layers together", "bytes"),
    _words("Architecture", "architecture", "the processor it is for"),
    _words("Os", "os", "the operating system it is for"),
    _words("Author", "author", "who made it"),
    _words("DockerVersion", "docker_version", "what it was built with"),
    _words("Parent", "parent_id", "the image it was built from, if the engine knows"),
    Column("entrypoint", "Config.Entrypoint", OBJECT, "what runs in any case, a list"),
    Column("cmd", "Config.Cmd", OBJECT, "what runs if nothing else is asked for, or its arguments, a list"),
    _words("Config.User", "user", "whom its containers run as; <NA> is root"),
    _words("Config.WorkingDir", "working_dir", "where they run"),
    _words("Config.StopSignal", "stop_signal", "the signal that stops them; <NA> is TERM"),
    Column("exposed_ports", "Config.ExposedPorts", OBJECT, "ports that it speaks of, by name"),
    Column("volumes", "Config.Volumes", OBJECT, "directories that get a volume, by path"),
    Column("healthcheck", "Config.Healthcheck", OBJECT, "its check of health"),
    Column("env", "Config.Env", OBJECT, "its environment, a list of NAME=value"),
    Column("labels", "Config.Labels", OBJECT, "its labels, a dict"),
    Column("layers", "RootFS.Layers", OBJECT, "the digests of its layers, the lowest first"),
)


def container_inspections(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Make one row a document of ContainerInspect."""
    records = [{**document, "command": _command(document)} for document in object_list(documents)]
    return array_table(CONTAINERS, records)


def image_inspections(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Make one row a document of ImageInspect."""
    return array_table(IMAGES, documents)


def _command(document: dict[str, Any]) -> str | None:
    arguments = document.get("Args")
    words = [document.get("Path"), *(arguments if isinstance(arguments, list) else [])]
    return shlex.join(str(word) for word in words if word is not None) or None
