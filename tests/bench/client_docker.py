"""The tasks with the docker command, if it is installed: one process per task, whose output is read to the end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


class Client:
    """Each method is a task that returns how many items or bytes it read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts

    def close(self) -> None:
        """Do nothing: no process is left."""

    def _docker(self, *arguments: str) -> bytes:
        command = ["docker", "--host", self.facts["host"], *arguments]
        return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout

    def list(self) -> int:
        """List the prepared containers."""
        label = f"label={self.facts['label']}"
        output = self._docker("ps", "--all", "--no-trunc", "--format", "{{json .}}", "--filter", label)
        return len([json.loads(line) for line in output.splitlines()])

    def inspect_wide(self) -> int:
        """Inspect all containers with one command."""
        return len(json.loads(self._docker("inspect", *self.facts["names"])))

    def logs(self) -> int:
        """Read a long log and split it into lines."""
        return len(self._docker("logs", self.facts["log_container"]).decode().splitlines())

    def export(self) -> int:
        """Write a container's files to a tar."""
        self._docker("export", "--output", self.facts["export_file"], self.facts["export_container"])
        return Path(self.facts["export_file"]).stat().st_size

    def exec(self) -> int:
        """Run a command in a running container. Its exit code is the docker process's own."""
        self._docker("exec", self.facts["running"][0], "true")
        return 3
