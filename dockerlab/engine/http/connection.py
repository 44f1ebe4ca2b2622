"""One client's connection: HTTP/1.1 as h11 reads and writes it, on asyncio's streams."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from email.utils import formatdate
from pathlib import Path
from typing import IO, Any, TypeVar

import h11

from dockerlab import __version__
from dockerlab.engine.faults import Fault, message_of, status_of
from dockerlab.engine.http.hijacked import HijackedConnection
from dockerlab.engine.http.messages import Response, json_response
from dockerlab.engine.http.routes import Body, ends_with_client, operation_of, takes_upload
from dockerlab.protocol.operations import NEWEST

__all__ = ["Connection"]

BLOCK, HEADER_BYTES = 1 << 18, 1 << 16
#: A document is read at once, and needs a hundred times its length in memory if it is hostile.
BODY_BYTES = 8 << 20
#: How much of an upload is read and thrown away when there is no room for it.
DISCARDED_BYTES = 1 << 30
#: Docker's HTTP server doesn't count a body that is longer than its buffer: it sends chunks.
UNCHUNKED_BYTES = 2048
IDLE_SECONDS, BODY_SECONDS = 600, 60
SERVER = f"dockerlab/{__version__} (linux)"
SWITCHING_PROTOCOLS = 101
NO_BODY = (204, 304)
#: Answers a request: method, target, headers, body.
Answer = Callable[[str, str, dict[str, str], Body], Coroutine[Any, Any, Response]]
T = TypeVar("T")


class Connection:
    """Reads requests one after the other, and sends their responses."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer, upload_directory: Path
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.answer = answer
        self.upload_directory = upload_directory
        self.h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)

    async def serve(self) -> None:
        """Answer requests until one side closes the connection, or hijacks it."""
        while True:
            try:
                request = await self._next_event(IDLE_SECONDS)
                if not isinstance(request, h11.Request):
                    return
                method, target = request.method.decode("latin-1"), request.target.decode("latin-1")
                operation = operation_of(method, target)
                body = await (self._read_upload() if takes_upload(operation) else self._read_body())
            except h11.RemoteProtocolError as error:
                await self._refuse(error)
                return
            except Fault as fault:
                await self._send(json_response({"message": str(fault)}, status_of(fault)), method, close=True)
                return
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
            try:
                answering = self.answer(method, target, headers, body)
                response = await (self._while_connected(answering) if ends_with_client(operation) else answering)
                if response.hijack is not None:
                    await self._hijack(response, response.hijack, headers)
                    return
                await self._send(response, method)
            finally:
                if not isinstance(body, bytes):
                    body.close()
            if self.h11.our_state is not h11.DONE or self.h11.their_state is not h11.DONE:
                return
            self.h11.start_next_cycle()
            await asyncio.sleep(0)  # a client that has sent thousands of requests at once keeps nobody else waiting

    # -- reading -----------------------------------------------------------------------------------------------

    async def _next_event(self, seconds: float) -> object:
        """Return h11's next event. Raises TimeoutError if the client is silent for so long."""
        while True:
            event = self.h11.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self.h11.they_are_waiting_for_100_continue:
                self.writer.write(self.h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            async with asyncio.timeout(seconds):  # unlike wait_for, it makes no task for each block
                data = await self.reader.read(BLOCK)
            self.h11.receive_data(data)

    async def _next_block(self) -> bytes | None:
        """Return the next part of the body; None at its end."""
        event = await self._next_event(BODY_SECONDS)
        if isinstance(event, h11.EndOfMessage):
            return None
        if not isinstance(event, h11.Data):
            raise h11.RemoteProtocolError("the request ended too early")
        return event.data

    async def _read_body(self) -> bytes:
        body = bytearray()
        while (block := await self._next_block()) is not None:
            body += block
            if len(body) > BODY_BYTES:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        return bytes(body)

    async def _read_upload(self) -> IO[bytes]:
        """Read a body of any size into a file without a name, in the engine's own directory. Raises Fault.

        If there is no room for it, the rest is read too, up to a limit: a client reads the response only when it has
        sent everything.
        """
        file = tempfile.TemporaryFile(dir=self.upload_directory)  # noqa: SIM115  (`serve` closes it)
        refusal, discarded = "", 0
        try:
            while discarded < DISCARDED_BYTES and (block := await self._next_block()) is not None:
                if refusal:
                    discarded += len(block)
                else:
                    refusal = _write(file, block)
            if refusal or (refusal := _write(file, b"", rewind=True)):
                raise Fault(refusal)
        except BaseException:
            with contextlib.suppress(OSError):  # closing writes what is buffered, for which there is no room either
                file.close()
            raise
        return file

    # -- writing -----------------------------------------------------------------------------------------------

    async def _hijack(
        self,
        response: Response,
        hijack: Callable[[HijackedConnection], Awaitable[None]],
        headers: dict[str, str],
    ) -> None:
        """Send the headers and hand the connection over. From here on it carries bytes both ways, as on Docker."""
        options = {name.strip().lower() for name in headers.get("connection", "").split(",")}
        is_upgrade = response.status == SWITCHING_PROTOCOLS or ("upgrade" in options and bool(headers.get("upgrade")))
        lines = ["HTTP/1.1 101 UPGRADED" if is_upgrade else "HTTP/1.1 200 OK"]
        lines += [f"Content-Type: {response.content_type}"] if response.content_type else []
        lines += ["Connection: Upgrade", f"Upgrade: {headers.get('upgrade', 'tcp')}"] if is_upgrade else []
        fixed = [("Api-Version", NEWEST), ("Docker-Experimental", "false"), ("Ostype", "linux"), ("Server", SERVER)]
        lines += [f"{name}: {value}" for name, value in [*fixed, *response.headers]]
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        early, _ = self.h11.trailing_data  # sent in the same packet as the request
        await hijack(HijackedConnection(self.reader, self.writer, early))

    async def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Answer a request that isn't HTTP; the connection is closed afterwards."""
        if self.h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = json_response({"message": f"malformed request: {error}"}, error.error_status_hint or 400)
            await self._send(response, "GET", close=True)

    async def _send(self, response: Response, method: str, close: bool = False) -> None:
        reason = REASONS.get(response.status, "")
        head = h11.Response(status_code=response.status, headers=_headers(response, close), reason=reason)
        self.writer.write(self.h11.send(head) or b"")
        if response.chunks is not None:
            await self.writer.drain()
            await self._send_chunks(response.chunks)
        elif response.body and method != "HEAD":
            self.writer.write(self.h11.send(h11.Data(data=response.body)) or b"")
        self.writer.write(self.h11.send(h11.EndOfMessage()) or b"")
        await self.writer.drain()

    async def _send_chunks(self, chunks: AsyncIterator[bytes]) -> None:
        """Send chunks as they come."""
        try:
            await self._while_connected(self._send_each(chunks))
        finally:
            close = getattr(chunks, "aclose", None)  # an async generator has one, an async iterator need not
            if close is not None:
                await close()

    async def _while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of some work, and cancel it if the client goes away before. Raises ConnectionResetError."""
        working = asyncio.ensure_future(work)
        reading = asyncio.ensure_future(self.reader.read(BLOCK))
        try:
            await asyncio.wait({working, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                if early := reading.result():  # the next request, sent before this response was complete
                    self.h11.receive_data(early)
                elif not working.done():
                    raise ConnectionResetError("the client went away")
            return await working
        finally:
            for task in (working, reading):
                task.cancel()
            await asyncio.gather(working, reading, return_exceptions=True)

    async def _send_each(self, chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            if chunk:
                self.writer.write(self.h11.send(h11.Data(data=chunk)) or b"")
                await asyncio.sleep(0)  # let other clients have their turn, even if this one reads fast
                async with asyncio.timeout(IDLE_SECONDS):
                    await self.writer.drain()


def _write(file: IO[bytes], data: bytes, rewind: bool = False) -> str:
    """Write to a file, and perhaps go back to its beginning. Return why that failed, or an empty string."""
    try:
        file.write(data)
        if rewind:
            file.seek(0)
    except OSError as error:
        return message_of(error)
    return ""


def _headers(response: Response, close: bool) -> list[tuple[str, str]]:
    """Return the headers in Docker's order."""
    headers = [("Api-Version", NEWEST)]
    if response.content_type:
        headers.append(("Content-Type", response.content_type))
    headers += [("Docker-Experimental", "false"), ("Ostype", "linux"), ("Server", SERVER), *response.headers]
    headers.append(("Date", formatdate(usegmt=True)))
    if response.chunks is not None or len(response.body) > UNCHUNKED_BYTES:
        headers.append(("Transfer-Encoding", "chunked"))
    elif response.status not in NO_BODY:
        headers.append(("Content-Length", str(len(response.body))))
    if close:
        headers.append(("Connection", "close"))
    return headers


REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
