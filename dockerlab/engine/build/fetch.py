"""Downloads what a build names by URL: a file for ADD, or a whole context."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from dockerlab.engine.common.cancellable_threads import run_cancellable
from dockerlab.engine.common.network_errors import failure_message
from dockerlab.engine.common.web_client import WebClient
from dockerlab.engine.faults import BadParameter, Fault, Forbidden, NotFound, Unauthorized
from dockerlab.engine.images.progress import progress_line
from dockerlab.engine.storage import rootfs

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["NAMELESS", "Download", "Downloads", "is_url", "save"]

#: The name of a file if neither its URL nor the response has one; the space can't be a name from the web.
NAMELESS = " "
PROGRESS_SECONDS = 0.1
MAX_REDIRECTS = 10
BLOCK_BYTES = 1 << 18
MAX_ERROR_BYTES = 1 << 16
CLIENT_ERROR, SERVER_ERROR = 400, 500
FAULTS = {401: Unauthorized, 403: Forbidden, 404: NotFound}
Record = dict[str, Any]


def is_url(word: str) -> bool:
    """Return whether a source of ADD or a context is fetched over HTTP."""
    return word.startswith(("http://", "https://"))


class Download:
    """The response to a GET request for one file. All methods block, so call them in a thread."""

    def __init__(self, url: str) -> None:
        """Send the request and read the head of the response. Raises Fault."""
        self.url = url
        self._client = WebClient()
        self._response = self._request()
        if self._response.status >= CLIENT_ERROR:
            self._raise_fault()
        length = self._response.headers.get("Content-Length") or ""
        self.length = int(length) if length.isdigit() else 0
        self.is_text = (self._response.headers.get("Content-Type") or "").startswith("text/plain")

    def _request(self) -> BaseHTTPResponse:
        """Send the request, and follow redirects. urllib3 would read what redirects say, which need not end."""
        url = self.url
        for _ in range(MAX_REDIRECTS + 1):
            try:
                response = self._client.request("GET", url, redirect=False)
                location = response.get_redirect_location()
                if not location:
                    return response
                response.close()
                url = urljoin(url, location)
            except self._client.errors as error:
                raise Fault(f'Get "{url}": {failure_message(error, url)}') from None
            if not is_url(url):
                raise Fault(f'Get "{url}": unsupported protocol scheme "{urlsplit(url).scheme}"')
        raise Fault(f'Get "{url}": stopped after {MAX_REDIRECTS} redirects')

    def _raise_fault(self) -> None:
        response, body = self._response, ""
        with contextlib.closing(self), contextlib.suppress(*self._client.errors):
            body = self._client.read(response, MAX_ERROR_BYTES).decode("utf-8", "replace").strip()
        fault = FAULTS.get(response.status, BadParameter if response.status < SERVER_ERROR else Fault)
        raise fault(f"failed to GET {self.url} with status {response.status} {response.reason}: {body}")

    @property
    def name(self) -> str:
        """The file's name from the URL or the response; empty if neither has one."""
        header = Message()
        header["Content-Disposition"] = self._response.headers.get("Content-Disposition") or ""
        name = urlsplit(self.url).path.rpartition("/")[2] or header.get_filename("").rpartition("/")[2]
        return "" if name in (".", "..") or "\0" in name else name

    @property
    def modified(self) -> float:
        """When the file was last modified, in seconds since 1970; 0 if the response doesn't say."""
        with contextlib.suppress(ValueError, OverflowError):
            return parsedate_to_datetime(self._response.headers.get("Last-Modified") or "").timestamp()
        return 0.0

    def write_to(self, file: IO[bytes]) -> Iterator[int]:
        """Write the content to a file; yield the number of bytes now and then, and at the end. Raises Fault."""
        written, reported_at = 0, time.monotonic()
        try:
            while block := self._client.read(self._response, BLOCK_BYTES):
                file.write(block)
                written += len(block)
                if time.monotonic() - reported_at > PROGRESS_SECONDS:
                    reported_at = time.monotonic()
                    yield written
        except self._client.errors as error:
            raise Fault(f"{self.url}: {failure_message(error, self.url)}") from None
        yield written

    def close(self) -> None:
        self._response.close()
        self._client.close()


async def save(download: Download, file: IO[bytes]) -> AsyncIterator[int]:
    """Write a download to a file in a thread; yield the number of bytes as `write_to` does. Raises Fault."""
    counts = download.write_to(file)
    while (count := await run_cancellable(next, counts, None)) is not None:
        yield count


class Downloads:
    """The files that one ADD downloads, in a temporary directory that is removed at the end of the `with` block."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self.root: Path | None = None  #: created with the first file
        self.files: dict[str, Path] = {}  #: by URL

    def __enter__(self) -> Downloads:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.root is not None:
            rootfs.remove(self.root)

    async def fetch(self, url: str) -> AsyncIterator[Record]:
        """Download a file; yield progress lines for the client. Raises Fault."""
        try:
            download = await run_cancellable(Download, url)
        except Fault as fault:
            raise Fault(f"ADD failed: {fault}") from None
        with contextlib.closing(download):
            path = self._new_path(download)
            with open(path, "xb", opener=_open_private) as file:
                async for count in save(download, file):
                    yield progress_line("Downloading", "", count, download.length)
            os.utime(path, (download.modified, download.modified))
            self.files[url] = path
        yield {"stream": "\n"}

    def _new_path(self, download: Download) -> Path:
        """Return a path in a directory of its own, because two downloads may have the same name."""
        if self.root is None:
            self.root = Path(tempfile.mkdtemp(prefix="build-", dir=self.parent))
        return Path(tempfile.mkdtemp(dir=self.root)) / (download.name or NAMELESS)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
