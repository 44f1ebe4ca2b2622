"""Tables of what a swarm has: nodes, services, tasks, secrets, configs."""

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

VERSION = "counts its changes; an update must name it"


def _ports(ports: list[dict[str, Any]]) -> str:
    """Published ports as docker service ls writes them: `*:8080->80/tcp`."""
    return ", ".join(
        f"*:{port['PublishedPort']}->{port.get('TargetPort')}/{port.get('Protocol', 'tcp')}"
        for port in ports
        if port.get("PublishedPort")
    )


def _mode(mode: dict[str, Any]) -> str | None:
    """The one word of a service's mode: replicated, global, replicated-job or global-job."""
    names = {"Replicated": "replicated", "Global": "global", "ReplicatedJob": "replicated-job"}
    found = next((name for name in mode if mode[name] is not None), None)
    return names.get(found, "global-job") if found else None


_LABELS = Column("labels", "Spec.Labels", OBJECT, "its labels, a dict")
#: What services, secrets and configs end with.
_LAST = (
    Column("created", "CreatedAt", TIME, "when it was created", "UTC"),
    Column("updated", "UpdatedAt", TIME, "when it was last changed", "UTC"),
    Column("version", "Version.Index", INTEGER, VERSION),
    Column("id", "ID", TEXT, "its id"),
)


def _leads(status: dict[str, Any]) -> Any:
    """Engines say of the leader alone that it leads."""
    return status.get("Leader", False)


NODES = (
    Column("hostname", "Description.Hostname", TEXT, "the machine's name"),
    Column("role", "Spec.Role", TEXT, "manager or worker"),
    Column("availability", "Spec.Availability", TEXT, "active, pause or drain"),
    Column("state", "Status.State", TEXT, "ready, down, disconnected or unknown"),
    Column("leader", "ManagerStatus", BOOLEAN, "leads the managers; <NA> for a worker", convert=_leads),
    Column("reachability", "ManagerStatus.Reachability", TEXT, "whether the other managers reach it"),
    Column("address", "Status.Addr", TEXT, "its address, as the others see it"),
    Column("engine_version", "Description.Engine.EngineVersion", TEXT, "its engine's version"),
    Column("os", "Description.Platform.OS", TEXT, "its system"),
    Column("architecture", "Description.Platform.Architecture", TEXT, "its processor"),
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
    Column("replicas", "Spec.Mode.Replicated.Replicas", INTEGER, "tasks that are asked for; <NA> for other modes"),
    Column("running_tasks", "ServiceStatus.RunningTasks", INTEGER, "tasks that run; only with status=True"),
    Column("desired_tasks", "ServiceStatus.DesiredTasks", INTEGER, "tasks that should run; only with status=True"),
    Column("image", "Spec.TaskTemplate.ContainerSpec.Image", TEXT, "the image of its tasks"),
    Column("ports", "Endpoint.Ports", TEXT, "published ports, as docker service ls writes them", convert=_ports),
    _LABELS,
    Column("update_state", "UpdateStatus.State", TEXT, "how its last update goes"),
    *_LAST,
)

TASKS = (
    Column("service_id", "ServiceID", TEXT, "the service that it is a part of"),
    Column("slot", "Slot", INTEGER, "its place among the replicas; <NA> for a global service"),
    Column("node_id", "NodeID", TEXT, "the node it is on; <NA> before it has one"),
    Column("state", "Status.State", TEXT, "new, pending, assigned, preparing, running, complete, failed, …"),
    Column("desired_state", "DesiredState", TEXT, "what it should be"),
    Column("message", "Status.Message", TEXT, "the last thing that happened to it"),
    Column("error", "Status.Err", TEXT, "what went wrong"),
    Column("exit_code", "Status.ContainerStatus.ExitCode", INTEGER, "its container's exit code"),
    Column("container_id", "Status.ContainerStatus.ContainerID", TEXT, "its container, on its node"),
    Column("image", "Spec.ContainerSpec.Image", TEXT, "its image"),
    Column("changed", "Status.Timestamp", TIME, "when its state changed", "UTC"),
    Column("created", "CreatedAt", TIME, "when it was created", "UTC"),
    Column("updated", "UpdatedAt", TIME, "when it was last changed", "UTC"),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("version", "Version.Index", INTEGER, VERSION),
    Column("id", "ID", TEXT, "its id"),
)

SECRETS = (
    Column("name", "Spec.Name", TEXT, "its name; what is in it no engine tells"),
    Column("driver", "Spec.Driver.Name", TEXT, "what keeps it, if not the swarm"),
    _LABELS,
    *_LAST,
)

CONFIGS = (
    Column("name", "Spec.Name", TEXT, "its name"),
    Column("data", "Spec.Data", TEXT, "what is in it, as base64"),
    _LABELS,
    *_LAST,
)
