"""Fetches what a build names by its URL: a file for ADD, or a whole context."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from dockerlab.engine.common.network_errors import words
from dockerlab.engine.faults import BadParameter, Fault, Forbidden, NotFound, Unauthorized

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["Fetch", "is_url"]

CONNECT_SECONDS, READ_SECONDS, PAUSE = 15, 60, 0.1
REDIRECTS, BLOCK, MOST_WORDS = 10, 1 << 18, 1 << 16
GOOD, SERVERS = 400, 500
KINDS = {401: Unauthorized, 403: Forbidden, 404: NotFound}


def is_url(word: str) -> bool:
    """Is it fetched over HTTP?"""
    return word.startswith(("http://", "https://"))


class Fetch:
    """One file of the web, being fetched. Blocks, so it is for threads."""

    def __init__(self, url: str) -> None:
        """Ask for it. Raises Fault."""
        import urllib3  # noqa: PLC0415  (few builds fetch anything)

        self.url, self._wrong = url, (urllib3.exceptions.HTTPError, OSError)
        retries = urllib3.Retry(total=REDIRECTS, connect=0, read=0, status=0, other=0, redirect=REDIRECTS)
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=retries)
        self._answer = self._asked()
        if self._answer.status >= GOOD:
            self._refuse()
        length = self._answer.headers.get("Content-Length") or ""
        self.length = int(length) if length.isdigit() else 0
        self.text = (self._answer.headers.get("Content-Type") or "").startswith("text/plain")

    def _asked(self) -> BaseHTTPResponse:
        try:
            return self._pool.request("GET", self.url, preload_content=False)
        except self._wrong as error:
            raise Fault(f'Get "{self.url}": {words(error, self.url)}') from None

    def _refuse(self) -> None:
        answer = self._answer
        with contextlib.closing(self), contextlib.suppress(*self._wrong):
            told = answer.read(MOST_WORDS).decode("utf-8", "replace").strip()
        usual = BadParameter if answer.status < SERVERS else Fault
        kind = KINDS.get(answer.status, usual)
        raise kind(f"failed to GET {self.url} with status {answer.status} {answer.reason}: {told}")

    @property
    def name(self) -> str:
        """Its name, as the URL or the answer tells it, or ""."""
        told = Message()
        told["Content-Disposition"] = self._answer.headers.get("Content-Disposition") or ""
        name = urlsplit(self.url).path.rpartition("/")[2] or told.get_filename("").rpartition("/")[2]
        return "" if name in (".", "..") else name

    @property
    def modified(self) -> float:
        """When it was changed last, in seconds since 1970; 0 if that isn't told."""
        with contextlib.suppress(ValueError):
            return parsedate_to_datetime(self._answer.headers.get("Last-Modified") or "").timestamp()
        return 0.0

    def into(self, file: IO[bytes]) -> Iterator[int]:
        """Write it into a file; give how many bytes there are, now and then and at the end. Raises Fault."""
        got, told = 0, time.monotonic()
        try:
            while block := self._answer.read(BLOCK):
                file.write(block)
                got += len(block)
                if time.monotonic() - told > PAUSE:
                    told = time.monotonic()
                    yield got
        except self._wrong as error:
            raise Fault(f"{self.url}: {words(error, self.url)}") from None
        yield got

    def close(self) -> None:
        """End the connection."""
        self._answer.close()
        self._pool.clear()
