"""The restart policy: whether a container that has ended begins again, and after which pause."""

from __future__ import annotations

from typing import Any

__all__ = ["LONG_RUN", "Pauses", "wanted"]

FIRST_PAUSE, LONGEST_PAUSE, LONG_RUN = 0.1, 60.0, 10.0


class Pauses:
    """The pause before each restart: twice as long each time, and short again after a long run."""

    def __init__(self) -> None:
        """Begin with the shortest."""
        self.seconds = FIRST_PAUSE

    def longer(self) -> None:
        """The next one is longer."""
        self.seconds = min(self.seconds * 2, LONGEST_PAUSE)

    def reset(self) -> None:
        """The next one is short again."""
        self.seconds = FIRST_PAUSE


def wanted(record: dict[str, Any]) -> bool:
    """Does the policy want this container, which has ended, to begin again?"""
    policy = record["HostConfig"]["RestartPolicy"]
    if record["Stopped"]:
        return False
    if policy["Name"] == "on-failure":
        most = policy["MaximumRetryCount"]
        return bool(record["State"]["ExitCode"]) and (not most or record["RestartCount"] < most)
    return policy["Name"] in ("always", "unless-stopped")
