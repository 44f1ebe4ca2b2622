"""Makes the context of a build from an archive, or from what a URL leads to: an archive, or only a Dockerfile."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import IO, Any

from dockerlab.engine.build.context import MAX_DOCKERFILE_BYTES, Context
from dockerlab.engine.build.fetch import Download, is_url, save
from dockerlab.engine.common.cancellable_threads import run_cancellable
from dockerlab.engine.faults import Fault, NotServed
from dockerlab.engine.images.progress import progress_line

__all__ = ["fetch_context", "unpacked"]

REPOSITORY = re.compile(r"(git://|git@|ssh://|github\.com/).*|https?://.*\.git(#.*)?", re.DOTALL)
SAMPLE_BYTES = 512
#: Control characters that are never part of a text.
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
Record = dict[str, Any]


async def fetch_context(parent: Path, url: str) -> tuple[Context, list[Record]]:
    """Download a context; return it with the progress lines for the client. Raises Fault."""
    if REPOSITORY.fullmatch(url):
        raise NotServed(
            "the practice engine does not clone repositories: clone it yourself, and send the directory as the context"
        )
    if not is_url(url):
        raise Fault(f"remoteURL ({url}) could not be recognized as URL")
    try:
        download = await run_cancellable(Download, url)
    except Fault as fault:
        raise type(fault)(f"error downloading remote context {url}: {fault}") from None
    with contextlib.closing(download), tempfile.TemporaryFile(dir=parent) as file:
        lines = [progress_line(url, "Downloading context", count) async for count in save(download, file)]
        is_text = download.is_text or _looks_like_text(file)
        file.seek(0)
        if is_text:
            return Context(parent, file.read(MAX_DOCKERFILE_BYTES).decode("utf-8", "replace")), [*lines, {}]
        return await unpacked(parent, file), lines


async def unpacked(parent: Path, archive: IO[bytes]) -> Context:
    """Return a context with the files of an archive. Raises Fault."""
    context = Context(parent)
    try:
        await run_cancellable(context.unpack, archive)
    except BaseException:
        context.close()
        raise
    return context


def _looks_like_text(file: IO[bytes]) -> bool:
    file.seek(0)
    return BINARY.search(file.read(SAMPLE_BYTES)) is None
