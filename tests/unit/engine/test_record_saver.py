"""A change that has happened already is saved as soon as there is room for it."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from dockerlab.engine.common import json_files
from dockerlab.engine.common.container_record import FILE, ContainerRecord
from dockerlab.engine.common.tasks import Tasks
from dockerlab.engine.containers import record_saver
from dockerlab.engine.containers.record_saver import RecordSaver


class FullRecord(ContainerRecord):
    """A record whose disk is full for its first saves."""

    failures = 0

    def save(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        super().save()


def test_a_record_is_saved_when_there_is_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_saver, "RETRY_SECONDS", 0)
    record, tasks = FullRecord(tmp_path, {"Id": "a"}), Tasks()
    record.failures = 3

    async def save() -> None:
        saver = RecordSaver(record, tasks)
        saver.save()
        saver.save()
        record.document["Name"] = "later"
        while record.failures or not (tmp_path / FILE).exists():
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(save(), 10))
    assert json_files.read(tmp_path / FILE) == {"Id": "a", "Name": "later"}


def test_the_record_of_a_removed_container_is_not_saved_any_more(tmp_path: Path) -> None:
    record = ContainerRecord(tmp_path / "gone", {"Id": "a"})

    async def save() -> set[asyncio.Task[object]]:
        RecordSaver(record, Tasks()).save()
        return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

    assert asyncio.run(save()) == set()
    assert not (tmp_path / "gone").exists()
