"""A practice engine in the process of the test, without a socket, so that thousands of requests take seconds."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

from dockerlab.engine.api import HANDLERS, left_out
from dockerlab.engine.engine import Engine
from dockerlab.engine.http.routes import operation_of, takes_upload
from dockerlab.engine.http.server import Server
from dockerlab.engine.processes.isolation import choose
from dockerlab.engine.processes.spawner_client import SPAWNER

__all__ = ["InProcessEngine"]

SECONDS = 60


class InProcessEngine:
    """An engine on the rung `plain` with its own event loop. It answers as the server does, but sends no bytes."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.loop = asyncio.new_event_loop()
        self.engine = Engine(state, choose("plain"))
        self.server = self.loop.run_until_complete(self._serve())

    async def _serve(self) -> Server:
        self.engine.images.loop = self.loop
        self.engine.containers.load()
        handlers = {operation: partial(handler, self.engine) for operation, handler in HANDLERS.items()}
        return Server(handlers, left_out, self.state)

    def request(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return the status and the whole body of the response. A hijacked connection is not opened."""
        return self.loop.run_until_complete(asyncio.wait_for(self._request(method, target, body, headers), SECONDS))

    async def _request(
        self, method: str, target: str, body: bytes, headers: dict[str, str] | None
    ) -> tuple[int, bytes]:
        upload = io.BytesIO(body) if takes_upload(operation_of(method, target)) else body
        all_headers = {"content-type": "application/json", **(headers or {})}
        response = await self.server.answer(method, target, all_headers, upload)
        if response.chunks is None:
            return response.status, response.body
        return response.status, b"".join([chunk async for chunk in response.chunks])

    def json(self, method: str, target: str, body: object = None) -> tuple[int, Any]:
        """Send a JSON body, and return the status and the JSON of the response."""
        status, data = self.request(method, target, b"" if body is None else json.dumps(body).encode())
        return status, json.loads(data) if data.strip() else None

    def close(self) -> None:
        """Stop the engine, and leave its state. Its control groups stay only if a container runs."""
        self.loop.run_until_complete(self._end_tasks())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        SPAWNER.close()
        self.engine._lock.close()
        for place in set(self.engine.groups.places.values()):
            with contextlib.suppress(OSError):
                place.rmdir()

    @staticmethod
    async def _end_tasks() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
