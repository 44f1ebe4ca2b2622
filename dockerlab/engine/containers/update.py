"""Changes the limits and the restart policy of an existing container: POST /containers/{id}/update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers.process_spec import rlimits
from dockerlab.engine.containers.validation import check_limits
from dockerlab.engine.faults import BadParameter, Conflict

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container

__all__ = ["update"]

Document = dict[str, Any]


def update(container: Container, body: Document) -> list[str]:
    """Apply the requested changes, and return warnings. Raises BadParameter, Conflict; then nothing has changed."""
    host = container.record.host_config
    changes = {key: value for key, value in body.items() if key in host and value}
    check_limits(changes)
    rlimits(changes)
    _apply_policy(changes, host)
    _check_conflicts(changes, host)
    before = dict(host)
    host.update(changes)
    try:
        container.record.save()
    except OSError:
        host.clear()
        host.update(before)
        raise
    failed = []
    if container.main_process is not None and container.cgroup is not None:
        failed = container.cgroup.limit(host)
    container.events.publish_container("update", container.record)
    return [f"HostConfig.{field} could not be set on this machine." for field in failed]


def _apply_policy(changes: Document, host: Document) -> None:
    """Complete the restart policy in the changes. A policy without a name is no change."""
    policy = changes.pop("RestartPolicy", None) or {}
    if policy.get("Name"):
        if host["AutoRemove"]:
            raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
        changes["RestartPolicy"] = {"Name": policy["Name"], "MaximumRetryCount": policy.get("MaximumRetryCount") or 0}


def _check_conflicts(changes: Document, host: Document) -> None:
    """Raise Conflict or BadParameter if the changes contradict the settings of the container."""
    if changes.get("NanoCpus") and host["CpuQuota"]:
        raise Conflict("Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set")
    if changes.get("CpuQuota") and host["NanoCpus"]:
        raise Conflict("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
    merged = {**host, **changes}
    if merged["Memory"] > merged["MemorySwap"] > 0:
        raise BadParameter(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
