"""Every door of an engine that takes a document, and what must hold after each request, for tests with Hypothesis."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from in_process_engine import InProcessEngine

__all__ = ["EXAMPLES", "FUZZING", "Doors"]

EXAMPLES = int(os.environ.get("DOCKERLAB_FUZZING_EXAMPLES", "25"))
FUZZING = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
LISTS = ("/containers/json?all=1&size=1", "/images/json?all=1", "/volumes", "/networks", "/system/df", "/info")
#: What the text of a Python exception looks like.
EXCEPTION = re.compile(
    r"Traceback|\b\w+(Error|Exception|Warning)\b: |<class |object at 0x|NoneType|not subscriptable|has no attribute"
    r"|invalid literal for|codec can't|embedded null byte|object is not|unhashable|The practice engine failed"
)


class Doors:
    """An engine with a running container, and the checks after each request."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.open()

    def open(self) -> None:
        self.engine = InProcessEngine(self.state)
        if self.engine.json("GET", "/containers/base/json")[0] == 404:
            body = {"Image": "busybox", "Cmd": ["sleep", "1000"], "Labels": {"a": "b"}}
            status, answer = self.engine.json("POST", "/containers/create?name=base", body)
            assert status == 201, answer
            assert self.engine.json("POST", "/containers/base/start")[0] == 204
            self.engine.json("POST", "/volumes/create", {"Name": "kept"})
            self.engine.json("POST", "/networks/create", {"Name": "kept"})

    def close(self) -> None:
        self.engine.json("DELETE", "/containers/base?force=1")
        self.engine.close()

    def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Send a request, and check the response and all lists. Return the status and the body."""
        status, data = self.engine.request(method, target, body, headers)
        text = data.decode("utf-8", "replace")
        assert not EXCEPTION.search(text), f"{method} {target} {body[:2000]!r}: {status} {text[-1000:]}"
        assert status != 500 or "message" in text, f"{method} {target} {body[:2000]!r}: {status}"
        self.check_lists()
        return status, text

    def send_json(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        status, text = self.send(method, target, json.dumps(body).encode())
        return status, json.loads(text) if text.strip().startswith(("{", "[")) else None

    def check_lists(self) -> None:
        for target in LISTS:
            status, data = self.engine.request("GET", target)
            assert status == 200, f"{target}: {data!r}"

    def remove_images(self) -> None:
        """Remove every image but the base image."""
        for image in self.engine.json("GET", "/images/json?all=1")[1]:
            if "busybox:latest" not in image["RepoTags"]:
                self.engine.json("DELETE", f"/images/{image['Id']}?force=1")
