"""The tasks with the docker command: one process per task, whose whole output is read."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


class Client:
    """Each method is a task. It returns the size of what it has read."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """Remember the engine."""
        self.facts = facts

    def close(self) -> None:
        """There is no connection to close."""

    def _output(self, *arguments: str) -> bytes:
        command = ["docker", "--host", self.facts["host"], *arguments]
        return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout

    def list(self) -> int:
        """List the labelled containers."""
        output = self._output(
            "ps", "--all", "--no-trunc", "--format", "{{json .}}", "--filter", f"label={self.facts['label']}"
        )
        return len([json.loads(line) for line in output.splitlines()])

    def inspect_wide(self) -> int:
        """Inspect them in one command."""
        return len(json.loads(self._output("inspect", *self.facts["names"])))

    def logs(self) -> int:
        """Read a long log, and its lines."""
        return len(self._output("logs", self.facts["talker"]).decode().splitlines())

    def export(self) -> int:
        """Write a container's files as a tar."""
        self._output("export", "--output", self.facts["target"], self.facts["filler"])
        return Path(self.facts["target"]).stat().st_size

    def exec(self) -> int:
        """Run a command in a running container. Its exit code is that of the docker command."""
        self._output("exec", self.facts["running"][0], "true")
        return 3
