"""Every door of an engine that takes a document, and what must hold after each request, for tests with Hypothesis.

The engine is in the process of the test, on the rung `plain`; with DOCKERLAB_ISOLATION it is a process of its own on
that rung, and each request goes through its socket.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from engines import KillableEngine
from hypothesis import HealthCheck, settings
from in_process_engine import InProcessEngine
from judge import Judge
from plain_http import send_raw

__all__ = ["EXAMPLES", "FUZZING", "Doors"]

ISOLATION = os.environ.get("DOCKERLAB_ISOLATION", "")
EXAMPLES = int(os.environ.get("DOCKERLAB_FUZZING_EXAMPLES", "25"))
FUZZING = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
VERSION = "1.51"
LISTS = ("/containers/json?all=1&size=1", "/images/json?all=1", "/volumes", "/networks", "/system/df", "/info")
#: What the text of a Python exception looks like.
EXCEPTION = re.compile(
    r"Traceback|\b\w+(Error|Exception|Warning)\b: |<class |object at 0x|NoneType|not subscriptable|has no attribute"
    r"|invalid literal for|codec can't|embedded null byte|object is not|unhashable|The practice engine failed"
)


class EngineProcess:
    """An engine in a process of its own, with the methods of an engine in this process."""

    def __init__(self, state: Path) -> None:
        self._process = KillableEngine(state.parent, ISOLATION)
        self._process.start()

    def request(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return the status and the whole body of the response. The output of an exec is read to its end."""
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        status, data, _ = send_raw(self._process.host, method, target, body, all_headers)
        return status, data

    def json(self, method: str, target: str, body: object = None) -> tuple[int, Any]:
        """Send a JSON body, and return the status and the JSON of the response."""
        status, data = self.request(method, target, b"" if body is None else json.dumps(body).encode())
        return status, json.loads(data) if data.strip() else None

    def close(self) -> None:
        """Stop the engine, and leave its state."""
        self._process.stop()


class Doors:
    """An engine with a running container, and the checks after each request."""

    engine: InProcessEngine | EngineProcess

    def __init__(self, state: Path) -> None:
        self.state = state
        self.judge = Judge()
        self.open()

    def start(self) -> None:
        """Start the engine on the state that is there."""
        self.engine = EngineProcess(self.state) if ISOLATION else InProcessEngine(self.state)

    def open(self) -> None:
        """Start the engine, and create what the requests are about if it is not there."""
        self.start()
        if self.engine.json("GET", "/containers/base/json")[0] == 404:
            body = {"Image": "busybox", "Cmd": ["sleep", "1000"], "Labels": {"a": "b"}}
            status, answer = self.engine.json("POST", "/containers/create?name=base", body)
            assert status == 201, answer
            assert self.engine.json("POST", "/containers/base/start")[0] == 204
            self.engine.json("POST", "/volumes/create", {"Name": "kept"})
            self.engine.json("POST", "/networks/create", {"Name": "kept"})

    def close(self) -> None:
        """Stop the engine. One in a process of its own would leave helper processes, so it is reset."""
        self.engine.json("DELETE", "/containers/base?force=1")
        self.engine.close()
        if ISOLATION:
            KillableEngine(self.state.parent, ISOLATION).reset()

    def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Send a request, and check the response and all lists. Return the status and the body."""
        status, data = self.engine.request(method, target, body, headers)
        text = data.decode("utf-8", "replace")
        assert not EXCEPTION.search(text), f"{method} {target} {body[:2000]!r}: {status} {text[-1000:]}"
        assert status != 500 or "message" in text, f"{method} {target} {body[:2000]!r}: {status}"
        if method == "GET" and target.partition("?")[0].endswith("/json"):
            self._check_fields(target, status, data)
        self.check_lists()
        return status, text

    def send_json(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        status, text = self.send(method, target, json.dumps(body).encode())
        return status, json.loads(text) if text.strip().startswith(("{", "[")) else None

    def check_lists(self) -> None:
        for target in LISTS:
            status, data = self.engine.request("GET", target)
            assert status == 200, f"{target}: {data!r}"
            self._check_fields(target, status, data)

    def _check_fields(self, target: str, status: int, data: bytes) -> None:
        """Check that each field of a response has the type that the Engine API describes."""
        self.judge.check("GET", target, VERSION, status, data)
        assert not self.judge.problems, self.judge.problems

    def remove_images(self) -> None:
        """Remove every image but the base image."""
        for image in self.engine.json("GET", "/images/json?all=1")[1]:
            if "busybox:latest" not in image["RepoTags"]:
                self.engine.json("DELETE", f"/images/{image['Id']}?force=1")
