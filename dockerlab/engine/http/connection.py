"""HTTP on a unix socket: h11 on asyncio. Routes come from the endpoint table; faults become statuses here, once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qs, unquote

import h11

from dockerlab.engine.faults import BadParameter, Fault, NotFound, TooOld, status_of, words_of
from dockerlab.engine.http.hijacked import HijackedConnection
from dockerlab.engine.http.messages import Request, Response, json_response, text_response
from dockerlab.protocol.operations import NEWEST, Operation, find, version_number

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["Connection", "Server"]

BLOCK = 1 << 16
HEADER_BYTES, BODY_BYTES = 1 << 16, 64 << 20
MOST_UNREAD = 1 << 30
#: Docker's HTTP server doesn't count a body that is longer than its buffer: it sends chunks.
UNCHUNKED_BYTES = 2048
IDLE_SECONDS, BODY_SECONDS = 600, 60
SERVER = "dockerlab/0.1.0 (linux)"
OLDEST = (1, 24)
SWITCHED = 101
NEWEST_NUMBER = version_number(NEWEST)
#: Operations whose body is a tar, although their row says otherwise.
UPLOADS = {"ImageCreate"}
#: A body: a document in memory, or an upload in a file that is gone when the answer is over.
Body = bytes | IO[bytes]
Handle = Callable[["Engine", Request], Awaitable[Response]]
log = logging.getLogger("dockerlab.engine")


class Server:
    """Answers connections with the handlers of one engine."""

    def __init__(self, engine: Engine, handlers: dict[str, Handle], left_out: Callable[[Operation], Fault]) -> None:
        """Serve `handlers` by operationId; `left_out` gives the fault for a row without one."""
        self.engine = engine
        self.handlers = handlers
        self.left_out = left_out
        self.connections: set[asyncio.Task[None]] = set()
        self.last_active = time.monotonic()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin with a new connection."""
        task = asyncio.get_running_loop().create_task(self._connection(Connection(self, reader, writer)))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def _connection(self, connection: Connection) -> None:
        try:
            await connection.serve()
        except (ConnectionError, TimeoutError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the client went away, or was silent for too long
        except Exception:
            log.exception("a connection broke")
        finally:
            self.last_active = time.monotonic()
            connection.writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(connection.writer.wait_closed(), 1)

    async def answer(self, method: str, target: str, headers: dict[str, str], body: Body) -> Response:
        """Find the handler and call it; whatever it raises becomes a status here, and nowhere else."""
        self.last_active = time.monotonic()
        try:
            request = self._request(method, target, headers, body)
            handler = self.handlers.get(request.operation.id)
            if handler is None:
                raise self.left_out(request.operation)
            return await handler(self.engine, request)
        except TooOld as fault:
            return text_response(str(fault), status_of(fault))
        except Fault as fault:
            return json_response({"message": str(fault)}, status_of(fault))
        except Exception as error:
            log.exception("%s %s", method, target)
            return json_response({"message": words_of(error)}, status_of(error))

    def _request(self, method: str, target: str, headers: dict[str, str], body: Body) -> Request:
        raw, _, query = target.partition("?")
        version, path = _version(raw), _path(raw)
        operation = find(method, path)
        if operation is None or version_number(operation.since) > NEWEST_NUMBER:
            raise NotFound("page not found")
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(operation.path))
        found = re.fullmatch(pattern, path)
        parameters = parse_qs(query, keep_blank_values=True)
        upload = None if isinstance(body, bytes) else body
        body = body if isinstance(body, bytes) else b""
        return Request(operation, version, found.groupdict() if found else {}, parameters, headers, body, upload)


def _path(raw: str) -> str:
    """Give a path without the version in front."""
    return unquote(re.sub(r"^/v\d+(\.\d+)*(?=/)", "", raw))


def _takes_upload(method: str, target: str) -> bool:
    """Is the body of this request a file rather than a document?"""
    operation = find(method, _path(target.partition("?")[0]))
    return operation is not None and (operation.body == "tar" or operation.id in UPLOADS)


def _version(path: str) -> tuple[int, ...]:
    """Give the version that is asked for: the newest without a prefix. Raises BadParameter in Docker's words."""
    prefix = re.match(r"/v(\d+(?:\.\d+)*)/", path)
    if prefix is None:
        return NEWEST_NUMBER
    number = version_number(prefix[1])
    if number > NEWEST_NUMBER:
        raise BadParameter(f"client version {prefix[1]} is too new. Maximum supported API version is {NEWEST}")
    if number < OLDEST:
        raise TooOld(
            f"client version {prefix[1]} is too old. Minimum supported API version is 1.24, "
            "please upgrade your client to a newer version"
        )
    return number


class Connection:
    """One client's connection: requests one after the other."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin with a connection that was accepted."""
        self.server = server
        self.reader = reader
        self.writer = writer
        self.h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)

    async def serve(self) -> None:
        """Response requests until one side wants no more."""
        while True:
            try:
                request = await self._next(IDLE_SECONDS)
                if not isinstance(request, h11.Request):
                    return
                method, target = request.method.decode("latin-1"), request.target.decode("latin-1")
                body = await (self._upload() if _takes_upload(method, target) else self._body())
            except h11.RemoteProtocolError as error:
                await self._refuse(error)
                return
            except Fault as fault:
                await self._send(json_response({"message": str(fault)}, status_of(fault)), method, close=True)
                return
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
            try:
                answer = await self.server.answer(method, target, headers, body)
                if answer.hijack is not None:
                    await self._hijack(answer, headers)
                    return
                await self._send(answer, method)
            finally:
                if not isinstance(body, bytes):
                    body.close()
            if self.h11.our_state is not h11.DONE or self.h11.their_state is not h11.DONE:
                return
            self.h11.start_next_cycle()

    async def _next(self, seconds: float) -> object:
        """Give the next event; wait so long for bytes at most."""
        while True:
            event = self.h11.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self.h11.they_are_waiting_for_100_continue:
                self.writer.write(self.h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            self.h11.receive_data(await asyncio.wait_for(self.reader.read(BLOCK), seconds))

    async def _body(self) -> bytes:
        body = bytearray()
        while not isinstance(event := await self._next(BODY_SECONDS), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise h11.RemoteProtocolError("the request ended too early")
            body += event.data
            if len(body) > BODY_BYTES:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        return bytes(body)

    async def _upload(self) -> IO[bytes]:
        """Take a body of any size into a file without a name, in the engine's own directory. Raises Fault.

        If there is no room for it, the rest is read, or much of it: a client hears an answer when it has sent all.
        """
        file = tempfile.TemporaryFile(dir=self.server.engine.state)  # noqa: SIM115  (whoever asked closes it)
        refused, unread = "", 0
        try:
            while unread < MOST_UNREAD and not isinstance(event := await self._next(BODY_SECONDS), h11.EndOfMessage):
                if not isinstance(event, h11.Data):
                    raise h11.RemoteProtocolError("the request ended too early")
                if refused:
                    unread += len(event.data)
                else:
                    refused = _written(file, event.data)
            if refused or (refused := _written(file, b"", end=True)):
                raise Fault(refused)
        except BaseException:
            with contextlib.suppress(OSError):  # what is still to be written has no room either
                file.close()
            raise
        return file

    async def _hijack(self, answer: Response, headers: dict[str, str]) -> None:
        """Hand the connection over: after these headers it carries bytes both ways, as Docker does it."""
        asked = {name.strip().lower() for name in headers.get("connection", "").split(",")}
        switched = answer.status == SWITCHED or ("upgrade" in asked and bool(headers.get("upgrade")))
        lines = ["HTTP/1.1 101 UPGRADED" if switched else "HTTP/1.1 200 OK"]
        lines += [f"Content-Type: {answer.content_type}"] if answer.content_type else []
        lines += ["Connection: Upgrade", f"Upgrade: {headers.get('upgrade', 'tcp')}"] if switched else []
        fixed = [("Api-Version", NEWEST), ("Docker-Experimental", "false"), ("Ostype", "linux"), ("Server", SERVER)]
        lines += [f"{name}: {value}" for name, value in [*fixed, *answer.headers]]
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        early, _ = self.h11.trailing_data  # sent in the same packet as the request
        assert answer.hijack is not None  # noqa: S101  (asked by the caller)
        await answer.hijack(HijackedConnection(self.reader, self.writer, early))

    async def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Response what isn't HTTP, and close."""
        if self.h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = json_response({"message": f"malformed request: {error}"}, error.error_status_hint or 400)
            await self._send(answer, "GET", close=True)

    async def _send(self, answer: Response, method: str, close: bool = False) -> None:
        reason = REASONS.get(answer.status, "")
        response = h11.Response(status_code=answer.status, headers=_headers(answer, close), reason=reason)
        self.writer.write(self.h11.send(response) or b"")
        if answer.chunks is None:
            if answer.body and method != "HEAD":
                self.writer.write(self.h11.send(h11.Data(data=answer.body)) or b"")
        else:
            await self.writer.drain()
            await self._pump(answer)
        self.writer.write(self.h11.send(h11.EndOfMessage()) or b"")
        await self.writer.drain()

    async def _pump(self, answer: Response) -> None:
        """Send chunks as they come, and notice when the client goes away meanwhile."""
        sending = asyncio.ensure_future(self._chunks(answer))
        watching = asyncio.ensure_future(self.reader.read(BLOCK))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                if early := watching.result():  # the next request, sent before this answer was whole
                    self.h11.receive_data(early)
                elif not sending.done():
                    raise ConnectionResetError("the client went away")
            await sending
        finally:
            for task in (sending, watching):
                task.cancel()
            await asyncio.gather(sending, watching, return_exceptions=True)
            close = getattr(answer.chunks, "aclose", None)
            if close is not None:
                await close()

    async def _chunks(self, answer: Response) -> None:
        assert answer.chunks is not None  # noqa: S101  (asked by the caller)
        async for chunk in answer.chunks:
            if chunk:
                self.writer.write(self.h11.send(h11.Data(data=chunk)) or b"")
                await asyncio.wait_for(self.writer.drain(), IDLE_SECONDS)


def _written(file: IO[bytes], data: bytes, end: bool = False) -> str:
    """Write into a file, at the end go back to its beginning; give the reason if that is refused."""
    try:
        file.write(data)
        if end:
            file.seek(0)
    except OSError as error:
        return words_of(error)
    return ""


def _headers(answer: Response, close: bool) -> list[tuple[str, str]]:
    """Give the headers in Docker's order."""
    headers = [("Api-Version", NEWEST)]
    if answer.content_type:
        headers.append(("Content-Type", answer.content_type))
    headers += [("Docker-Experimental", "false"), ("Ostype", "linux"), ("Server", SERVER), *answer.headers]
    headers.append(("Date", formatdate(usegmt=True)))
    if answer.chunks is not None or len(answer.body) > UNCHUNKED_BYTES:
        headers.append(("Transfer-Encoding", "chunked"))
    elif answer.status not in (204, 304):
        headers.append(("Content-Length", str(len(answer.body))))
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
