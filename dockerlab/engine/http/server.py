"""Serves an engine's handlers on a unix socket. Faults become statuses here, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import h11

from dockerlab.engine.faults import Fault, TooOld, message_of, status_of
from dockerlab.engine.http.connection import Connection
from dockerlab.engine.http.messages import Request, Response, json_response, text_response
from dockerlab.engine.http.routes import Body, request_for
from dockerlab.protocol.operations import Operation

__all__ = ["Server"]

Handler = Callable[[Request], Awaitable[Response]]
CLOSE_SECONDS = 1
MAX_LOGGED_PATH = 200
log = logging.getLogger("dockerlab.engine")


class Server:
    """Answers requests with the handlers of one engine."""

    def __init__(
        self, handlers: Mapping[str, Handler], left_out: Callable[[Operation], Fault], upload_directory: Path
    ) -> None:
        """Serve `handlers` by operationId; `left_out` returns the fault for an operation without a handler."""
        self.handlers = handlers
        self.left_out = left_out
        self.upload_directory = upload_directory
        self.connections: set[asyncio.Task[None]] = set()
        self.last_active = time.monotonic()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection in a task of its own."""
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Connection(reader, writer, self.answer, self.upload_directory).serve()
        except (ConnectionError, TimeoutError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the client went away, or was silent for too long
        except Exception:
            log.exception("a connection broke")
        finally:
            self.last_active = time.monotonic()
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), CLOSE_SECONDS)

    async def answer(self, method: str, target: str, headers: dict[str, str], body: Body) -> Response:
        """Find the handler and call it; whatever it raises becomes a status here, and nowhere else."""
        self.last_active = time.monotonic()
        try:
            request = request_for(method, target, headers, body)
            handler = self.handlers.get(request.operation.id)
            if handler is None:
                raise self.left_out(request.operation)
            return await handler(request)
        except TooOld as fault:
            return text_response(str(fault), status_of(fault))
        except Fault as fault:
            return json_response({"message": str(fault)}, status_of(fault))
        except Exception as error:
            # the query is left out, because it may contain build arguments
            log.exception("%s %s", method, target.partition("?")[0][:MAX_LOGGED_PATH])
            return json_response({"message": message_of(error)}, status_of(error))
