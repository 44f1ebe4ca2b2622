"""The process that forks shims: what it tells of one that fails, and that it is there again when somebody ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from processes import wait_until

from dockerlab.engine.processes.spawner_client import SpawnerClient


def children() -> set[int]:
    """Give the children of this process that live."""
    found = set()
    for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split():
        if " Z " not in Path(f"/proc/{word}/stat").read_text("ascii"):
            found.add(int(word))
    return found


async def first_words(spawner: SpawnerClient, directory: Path) -> str:
    """Spawn a shim for a directory; give what it says."""
    spawned = await spawner.spawn(directory)
    try:
        return (await asyncio.wait_for(spawned.output.read(), 20)).decode()
    finally:
        spawned.release()
        spawned.close()


def test_a_shim_that_cannot_begin_says_why(tmp_path: Path) -> None:
    spawner = SpawnerClient()
    told = asyncio.run(first_words(spawner, tmp_path))
    spawner.close()
    assert told == f"FileNotFoundError: [Errno 2] No such file or directory: '{tmp_path}/spec.json'\n"


def test_a_spawner_that_was_killed_is_started_again_and_ends_with_its_engine(tmp_path: Path) -> None:
    spawner, before = SpawnerClient(), children()
    asyncio.run(first_words(spawner, tmp_path))
    [first] = children() - before
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in children())
    assert "spec.json" in asyncio.run(first_words(spawner, tmp_path))
    [second] = children() - before
    assert second != first
    spawner.close()
    wait_until(lambda: second not in children())
