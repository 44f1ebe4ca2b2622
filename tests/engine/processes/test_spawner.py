"""The spawner forks shims, passes on the error of a shim that fails, and is restarted after it was killed."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from processes import wait_until

from dockerlab.engine.common.proc import start_ticks
from dockerlab.engine.processes import process, sealed_program
from dockerlab.engine.processes.spawner_client import SpawnerClient


def living_children() -> set[int]:
    """Return the pids of this process's children that have not ended."""
    pids = set()
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split():
        if " Z " not in Path(f"/proc/{pid}/stat").read_text("ascii"):
            pids.add(int(pid))
    return pids


async def output_of_shim(spawner: SpawnerClient, directory: Path) -> str:
    """Spawn a shim for a directory, and return its output."""
    shim = await spawner.spawn(directory)
    try:
        return (await asyncio.wait_for(shim.output.read(), 20)).decode()
    finally:
        shim.release()
        shim.close()


def test_a_shim_that_cannot_start_says_why(tmp_path: Path) -> None:
    spawner = SpawnerClient()
    output = asyncio.run(output_of_shim(spawner, tmp_path))
    spawner.close()
    assert output == f"FileNotFoundError: [Errno 2] No such file or directory: '{tmp_path}/spec.json'\n"


def test_a_killed_spawner_is_restarted_and_ends_with_its_engine(tmp_path: Path) -> None:
    spawner, before = SpawnerClient(), living_children()
    asyncio.run(output_of_shim(spawner, tmp_path))
    [first] = living_children() - before
    assert not spawner.has_ended
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in living_children())
    assert spawner.has_ended
    assert "spec.json" in asyncio.run(output_of_shim(spawner, tmp_path))
    [second] = living_children() - before
    assert second != first
    spawner.close()
    wait_until(lambda: second not in living_children())


def test_a_start_goes_on_when_the_spawner_is_killed_before_it_has_begun(tmp_path: Path) -> None:
    process.SPAWNER.close()
    before = living_children()
    spec = process.ProcessSpec(argv=["/bin/sh", "-c", "exit 3"], env={}, rootfs=str(tmp_path), cwd="/")

    async def start() -> process.Exit:
        await process.start(spec, tmp_path)  # starts the spawner
        [spawner] = living_children() - before
        os.kill(spawner, signal.SIGSTOP)  # it will not read the next message
        starting = asyncio.create_task(process.start(spec, tmp_path))
        await asyncio.sleep(0)
        os.kill(spawner, signal.SIGKILL)
        running = await starting
        running.release()
        return await running.wait()

    end = asyncio.run(start())
    process.SPAWNER.close()
    assert end.code == 3


def test_without_a_sealed_copy_the_interpreter_itself_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> int:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(sealed_program, "open_interpreter", refuse)
    spawner = SpawnerClient()
    assert "spec.json" in asyncio.run(output_of_shim(spawner, tmp_path))
    spawner.close()
    assert "can't be copied: [Errno 1] not permitted" in caplog.text


def test_a_process_with_the_pid_of_a_container_that_has_ended_is_not_joined(tmp_path: Path) -> None:
    spec = process.ProcessSpec(argv=["/bin/true"], env={}, rootfs=str(tmp_path), cwd="/", error_prefix="exec failed: ")
    spec.joined = {str(os.getpid()): start_ticks(os.getpid()) + 1}
    with pytest.raises(process.StartFailed, match="exec failed: cannot join a container that has ended") as failure:
        asyncio.run(process.start(spec, tmp_path))
    process.SPAWNER.close()
    assert failure.value.code == 128
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attach.sock", "spec.json"]
