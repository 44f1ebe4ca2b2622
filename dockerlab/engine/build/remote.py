"""A build whose context a client names by its URL: an archive, or a Dockerfile alone."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from pathlib import Path
from typing import IO, Any

from dockerlab.engine.build.context import MOST_BYTES, Context
from dockerlab.engine.build.downloads import fetched
from dockerlab.engine.build.fetch import Fetch, is_url
from dockerlab.engine.faults import Fault, NotServed
from dockerlab.engine.images.progress import detail

__all__ = ["context"]

REPOSITORY = re.compile(r"(git://|git@|ssh://|github\.com/).*|https?://.*\.git(#.*)?", re.DOTALL)
LOOKED_AT = 512
#: Bytes that no text has.
NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
Record = dict[str, Any]


async def context(beside: Path, url: str) -> tuple[Context, list[Record]]:
    """Fetch a context; give it, and what is told of it. Raises Fault."""
    if REPOSITORY.fullmatch(url):
        raise NotServed("the practice engine clones no repository: clone it, and send the directory as the context")
    if not is_url(url):
        raise Fault(f"remoteURL ({url}) could not be recognized as URL")
    try:
        fetch = await asyncio.to_thread(Fetch, url)
    except Fault as fault:
        raise type(fault)(f"error downloading remote context {url}: {fault}") from None
    with contextlib.closing(fetch), tempfile.TemporaryFile(dir=beside) as file:
        told = [{**detail(url, "Downloading context", got)} async for got in fetched(fetch, file)]
        if not fetch.text and not _text(file):
            file.seek(0)
            return await asyncio.to_thread(Context, beside, file), told
        file.seek(0)
        lone = file.read(MOST_BYTES).decode("utf-8", "replace")
        return await asyncio.to_thread(Context, beside, None, lone), [*told, {}]


def _text(file: IO[bytes]) -> bool:
    file.seek(0)
    return NO_TEXT.search(file.read(LOOKED_AT)) is None
