"""When there are no file descriptors left, new clients wait, and the log says so once."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from dockerlab.engine.http import listener as listening
from dockerlab.engine.http.listener import Listener


class Clients:
    """The clients that a listener has accepted."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self.changed = asyncio.Event()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.changed.set()

    def __len__(self) -> int:
        return len(self.writers)

    async def wait_for(self, count: int) -> None:
        """Wait until there are so many."""
        while len(self) < count:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 10)

    def close_one(self) -> None:
        self.writers.pop().close()


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    return client


def test_only_its_user_can_connect(tmp_path: Path) -> None:
    async def listen() -> None:
        listener = Listener(tmp_path / "e.sock", lambda reader, writer: None, [])
        assert stat.S_IMODE((tmp_path / "e.sock").stat().st_mode) == 0o600
        listener.close()

    asyncio.run(listen())


def test_clients_wait_while_there_are_as_many_as_there_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening.resource, "getrlimit", lambda _: (64, 64))

    async def fill() -> None:
        clients = Clients()
        listener = Listener(tmp_path / "e.sock", clients.accept, clients)
        connected = [connect(tmp_path / "e.sock") for _ in range(40)]
        await clients.wait_for(32)
        await asyncio.sleep(0)
        assert len(clients) == 32
        clients.close_one()
        clients.close_one()
        clients.changed.clear()
        await clients.wait_for(32)
        listener.close()
        for client in connected:
            client.close()

    asyncio.run(fill())
    assert "new clients have to wait: 32 clients are connected" in caplog.records[0].getMessage()


def test_without_descriptors_it_tries_again_later_and_not_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = 0

    class Exhausted(socket.socket):
        def accept(self) -> Any:
            nonlocal attempts
            attempts += 1
            if attempts <= 2:
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    async def wait() -> None:
        monkeypatch.setattr(listening.socket, "socket", Exhausted)
        clients = Clients()
        listener = Listener(tmp_path / "e.sock", clients.accept, clients)
        monkeypatch.undo()
        with connect(tmp_path / "e.sock"):
            await clients.wait_for(1)
        listener.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(wait())
    assert attempts in (3, 4)
    assert [record.getMessage() for record in caplog.records] == ["new clients have to wait: too many open files"] * 2
