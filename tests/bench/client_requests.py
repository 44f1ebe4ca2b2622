"""The tasks with requests: the session of a Lab, and JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import dockerlab


class Client:
    """Each method is a task. It returns the size of what it has read."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """Connect to the engine."""
        self.facts = facts
        self._lab = dockerlab.connect(facts["host"])
        self._session = self._lab.session

    def close(self) -> None:
        """Close the connections."""
        self._lab.close()

    def _get(self, path: str, **query: Any) -> Any:
        answer = self._session.get(self._lab.url(path, **query))
        answer.raise_for_status()
        return answer.json()

    def ping(self) -> int:
        """Ping 200 times."""
        return len([self._session.get(self._lab.url("/_ping")) for _ in range(200)])

    def list(self) -> int:
        """List the labelled containers."""
        chosen = json.dumps({"label": [self.facts["label"]]})
        return len(self._get("/containers/json", all=1, filters=chosen))

    def inspect(self) -> int:
        """Inspect them one by one."""
        return len([self._get(f"/containers/{name}/json") for name in self.facts["names"]])

    def export(self) -> int:
        """Write a container's files as a tar."""
        path = self._lab.url(f"/containers/{self.facts['filler']}/export")
        with self._session.get(path, stream=True) as answer, Path(self.facts["target"]).open("wb") as file:
            for block in answer.iter_content(1 << 18):
                file.write(block)
        return Path(self.facts["target"]).stat().st_size
