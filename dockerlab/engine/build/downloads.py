"""What one step of a build, or its context, is fetched into: a directory of its own, which goes away with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dockerlab.engine.build.fetch import Fetch
from dockerlab.engine.faults import Fault
from dockerlab.engine.images.progress import detail
from dockerlab.engine.storage import rootfs

__all__ = ["NAMELESS", "Downloads", "fetched"]

#: The name of a file for which neither its URL nor the answer has one; no file of the web has a slash in its name.
NAMELESS = " "
Record = dict[str, Any]


class Downloads:
    """The files that one ADD fetches."""

    def __init__(self, beside: Path) -> None:
        """Prepare it; the directory is made with the first file."""
        self.beside = beside
        self.root: Path | None = None
        self.files: dict[str, Path] = {}

    def __enter__(self) -> Downloads:
        """Give itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove all that was fetched."""
        if self.root is not None:
            rootfs.remove(self.root)

    async def get(self, url: str) -> AsyncIterator[Record]:
        """Fetch a file, and tell how far it is. Raises Fault."""
        try:
            fetch = await asyncio.to_thread(Fetch, url)
        except Fault as fault:
            raise Fault(f"ADD failed: {fault}") from None
        with contextlib.closing(fetch):
            place = self._place(fetch)
            with open(place, "xb", opener=_private) as file:
                async for got in fetched(fetch, file):
                    yield detail("Downloading", "", got, fetch.length)
            os.utime(place, (fetch.modified, fetch.modified))
            self.files[url] = place
        yield {"stream": "\n"}

    def _place(self, fetch: Fetch) -> Path:
        """Give each file a directory of its own: two may have one name."""
        if self.root is None:
            self.root = Path(tempfile.mkdtemp(prefix="build-", dir=self.beside))
        return Path(tempfile.mkdtemp(dir=self.root)) / (fetch.name or NAMELESS)


async def fetched(fetch: Fetch, file: IO[bytes]) -> AsyncIterator[int]:
    """Write what is fetched into a file; give how many bytes there are, now and then and at the end. Raises Fault."""
    numbers = fetch.into(file)
    while (number := await asyncio.to_thread(next, numbers, None)) is not None:
        yield number


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
