"""Saves a container's record after changes that have happened already, such as the end of its process.

Such a change can't be refused or undone when the disk is full. So the record is saved as soon as there is room again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.common.tasks import Tasks

__all__ = ["RecordSaver"]

RETRY_SECONDS = 1.0
log = logging.getLogger("dockerlab.engine")


class RecordSaver:
    """Saves one record, and tries again for as long as that fails and the container exists."""

    def __init__(self, record: ContainerRecord, tasks: Tasks) -> None:
        self._record, self._tasks = record, tasks
        self._is_waiting = False

    def save(self) -> None:
        """Save the record, now or later. Raises nothing."""
        if not self._try() and not self._is_waiting:
            self._is_waiting = True
            self._tasks.begin(self._save_later())

    def _try(self) -> bool:
        try:
            self._record.save()
        except OSError as error:
            if self._record.directory.is_dir():
                log.warning("could not save a container's record: %s", (error.strerror or str(error)).lower())
                return False
        return True

    async def _save_later(self) -> None:
        await asyncio.sleep(RETRY_SECONDS)
        while not self._try():
            await asyncio.sleep(RETRY_SECONDS)
        self._is_waiting = False
