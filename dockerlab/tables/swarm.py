"""The columns of a swarm's tables: nodes, services, tasks, secrets, configs."""

from __future__ import annotations

from typing import Any

from dockerlab.tables.build import BOOLEAN, INTEGER, OBJECT, TEXT, TIME, Column

__all__ = [
    "CONFIGS",
    "NODES",
    "SECRETS",
    "SERVICES",
    "TASKS",
]

VERSION = "the version number that an update must name; each change increases it"


def _ports(ports: list[dict[str, Any]]) -> str:
    """Format published ports as `docker service ls` does: `*:8080->80/tcp`."""
    return ", ".join(
        f"*:{port['PublishedPort']}->{port.get('TargetPort')}/{port.get('Protocol', 'tcp')}"
        for port in ports
        if port.get("PublishedPort")
    )


def _mode(mode: dict[str, Any]) -> str | None:
    """Return a service's mode in one word: replicated, global, replicated-job or global-job."""
    names = {"Replicated": "replicated", "Global": "global", "ReplicatedJob": "replicated-job"}
    key = next((name for name in mode if mode[name] is not None), None)
    return names.get(key, "global-job") if key else None


_LABELS = Column("labels", "Spec.Labels", OBJECT, "its labels, a dict")
#: The last columns of services, secrets and configs.
_LAST = (
    Column("created", "CreatedAt", TIME, "when it was created", "UTC"),
    Column("updated", "UpdatedAt", TIME, "when it was last changed", "UTC"),
    Column("version", "Version.Index", INTEGER, VERSION),
    Column("id", "ID", TEXT, "its id"),
)


def _leads(status: dict[str, Any]) -> Any:
    """Return whether a manager is the leader; engines send the field for the leader only."""
    return status.get("Leader", False)


NODES = (
    Column("hostname", "Description.Hostname", TEXT, "the machine's name"),
    Column("role", "Spec.Role", TEXT, "manager or worker"),
    Column("availability", "Spec.Availability", TEXT, "active, pause or drain"),
    Column("state", "Status.State", TEXT, "ready, down, disconnected or unknown"),
    Column("leader", "ManagerStatus", BOOLEAN, "whether it leads the managers; <NA> for a worker", convert=_leads),
    Column("reachability", "ManagerStatus.Reachability", TEXT, "whether the other managers can reach it"),
    Column("address", "Status.Addr", TEXT, "its address, as other nodes see it"),
    Column("engine_version", "Description.Engine.EngineVersion", TEXT, "the version of its engine"),
    Column("os", "Description.Platform.OS", TEXT, "its operating system"),
    Column("architecture", "Description.Platform.Architecture", TEXT, "its processor architecture"),
    Column("nano_cpus", "Description.Resources.NanoCPUs", INTEGER, "its processors, in billionths", "nano"),
    Column("memory_bytes", "Description.Resources.MemoryBytes", INTEGER, "its memory", "bytes"),
    _LABELS,
    Column("created", "CreatedAt", TIME, "when it joined", "UTC"),
    Column("updated", "UpdatedAt", TIME, "when it was last changed", "UTC"),
    Column("version", "Version.Index", INTEGER, VERSION),
    Column("id", "ID", TEXT, "its id"),
)

SERVICES = (
    Column("name", "Spec.Name", TEXT, "its name"),
    Column("mode", "Spec.Mode", TEXT, "replicated, global, replicated-job or global-job", convert=_mode),
    Column("replicas", "Spec.Mode.Replicated.Replicas", INTEGER, "the requested number of tasks; <NA> for other modes"),
    Column("running_tasks", "ServiceStatus.RunningTasks", INTEGER, "how many tasks are running; only with status=True"),
    Column("desired_tasks", "ServiceStatus.DesiredTasks", INTEGER, "how many tasks should run; only with status=True"),
    Column("image", "Spec.TaskTemplate.ContainerSpec.Image", TEXT, "the image of its tasks"),
    Column("ports", "Endpoint.Ports", TEXT, "published ports, in the format of docker service ls", convert=_ports),
    _LABELS,
    Column("update_state", "UpdateStatus.State", TEXT, "the state of its last update"),
    *_LAST,
)

TASKS = (
    Column("service_id", "ServiceID", TEXT, "the service it belongs to"),
    Column("slot", "Slot", INTEGER, "its number among the replicas; <NA> for a global service"),
    Column("node_id", "NodeID", TEXT, "the node it runs on; <NA> until one is assigned"),
    Column("state", "Status.State", TEXT, "new, pending, assigned, preparing, running, complete, failed, …"),
    Column("desired_state", "DesiredState", TEXT, "the state it should be in"),
    Column("message", "Status.Message", TEXT, "what happened last"),
    Column("error", "Status.Err", TEXT, "what went wrong"),
    Column("exit_code", "Status.ContainerStatus.ExitCode", INTEGER, "its container's exit code"),
    Column("container_id", "Status.ContainerStatus.ContainerID", TEXT, "its container on that node"),
    Column("image", "Spec.ContainerSpec.Image", TEXT, "its image"),
    Column("changed", "Status.Timestamp", TIME, "when its state changed", "UTC"),
    Column("created", "CreatedAt", TIME, "when it was created", "UTC"),
    Column("updated", "UpdatedAt", TIME, "when it was last changed", "UTC"),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("version", "Version.Index", INTEGER, VERSION),
    Column("id", "ID", TEXT, "its id"),
)

SECRETS = (
    Column("name", "Spec.Name", TEXT, "its name; engines never return its data"),
    Column("driver", "Spec.Driver.Name", TEXT, "the driver that stores it, if not the swarm"),
    _LABELS,
    *_LAST,
)

CONFIGS = (
    Column("name", "Spec.Name", TEXT, "its name"),
    Column("data", "Spec.Data", TEXT, "its data, as base64"),
    _LABELS,
    *_LAST,
)
