"""Changes the limits and the restart policy of a container that is there: POST /containers/{id}/update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers import validation
from dockerlab.engine.containers.process_spec import rlimits
from dockerlab.engine.faults import BadParameter, Conflict

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container

__all__ = ["update"]

Record = dict[str, Any]


def update(container: Container, asked: Record) -> list[str]:
    """Take over what was asked for, and give warnings. Raises BadParameter, Conflict; then nothing has changed."""
    host = container.record.host_config
    wanted = {key: value for key, value in asked.items() if key in host and value}
    validation.check_limits(wanted)
    rlimits(wanted)
    policy = wanted.get("RestartPolicy") or {}
    if policy.get("Name"):
        if host["AutoRemove"]:
            raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
        wanted["RestartPolicy"] = {"Name": policy["Name"], "MaximumRetryCount": policy.get("MaximumRetryCount") or 0}
    else:
        wanted.pop("RestartPolicy", None)
    fresh = {**host, **wanted}
    if wanted.get("NanoCpus") and host["CpuQuota"]:
        raise Conflict("Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set")
    if wanted.get("CpuQuota") and host["NanoCpus"]:
        raise Conflict("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
    if fresh["Memory"] > fresh["MemorySwap"] > 0:
        words = (
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
        raise BadParameter(words)
    host.update(wanted)
    container.record.save()
    failed = []
    if container.main_process is not None and container.cgroup is not None:
        failed = container.cgroup.limit(fresh)
    container.events.publish_container("update", container.record)
    return [f"HostConfig.{field} could not be set on this machine." for field in failed]
