"""The tasks with requests: a Lab's own session, and JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import dockerlab


class Client:
    """Each method is a task that returns how many items or bytes it read."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self._lab = dockerlab.connect(facts["host"])
        self._session = self._lab.session

    def close(self) -> None:
        self._lab.close()

    def _get(self, path: str, **query: Any) -> Any:
        response = self._session.get(self._lab.url(path, **query))
        response.raise_for_status()
        return response.json()

    def ping(self) -> int:
        """Ping 200 times."""
        return len([self._session.get(self._lab.url("/_ping")) for _ in range(200)])

    def list(self) -> int:
        """List the prepared containers."""
        filters = json.dumps({"label": [self.facts["label"]]})
        return len(self._get("/containers/json", all=1, filters=filters))

    def inspect(self) -> int:
        """Inspect the containers one by one."""
        return len([self._get(f"/containers/{name}/json") for name in self.facts["names"]])

    def export(self) -> int:
        """Write a container's files to a tar."""
        url = self._lab.url(f"/containers/{self.facts['export_container']}/export")
        with self._session.get(url, stream=True) as response, Path(self.facts["export_file"]).open("wb") as file:
            for block in response.iter_content(1 << 18):
                file.write(block)
        return Path(self.facts["export_file"]).stat().st_size
