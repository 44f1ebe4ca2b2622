"""The restart policy: whether a container starts again when its main process has ended, and after which delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["LONG_RUN_SECONDS", "RestartDelay", "should_restart"]

FIRST_SECONDS, LONGEST_SECONDS, LONG_RUN_SECONDS = 0.1, 60.0, 10.0


class RestartDelay:
    """The delay before each restart. It doubles each time, and a long run resets it."""

    def __init__(self) -> None:
        self.seconds = FIRST_SECONDS

    def increase(self) -> None:
        self.seconds = min(self.seconds * 2, LONGEST_SECONDS)

    def reset(self) -> None:
        self.seconds = FIRST_SECONDS


def should_restart(record: ContainerRecord) -> bool:
    """Return whether the policy starts this stopped container again."""
    policy = record.host_config["RestartPolicy"]
    if record.stop_requested:
        return False
    if policy["Name"] == "on-failure":
        most = policy["MaximumRetryCount"]
        return bool(record.state["ExitCode"]) and (not most or record.restart_count < most)
    return policy["Name"] in ("always", "unless-stopped")
