"""A container has thousands of directories, each in the one before: everything still works."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engines import KillableEngine
from plain_http import ask, connection

#: More than any recursion can do. `make test-crashes` sets 100,000, which takes minutes, because some disks take
#: milliseconds to remove a directory.
DEPTH = int(os.environ.get("DOCKERLAB_TEST_DEPTH") or 3000)
SECONDS = 900
#: How many of them have a path that is not too long for a system call: `deep`, and two bytes for each one below.
WITH_PATH = 1 + (4095 - len("deep")) // 2


def nest(root: Path) -> None:
    """Create the directories by relative names, as a program in the container would, because of the long path."""
    (root / "deep").mkdir()
    current = os.open(root / "deep", os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(DEPTH):
        os.mkdir("d", dir_fd=current)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=current)
        os.close(current)
        current = below
    os.close(current)


def send(host: str, method: str, path: str) -> tuple[int, bytes]:
    """Send a request whose response may take minutes."""
    client = connection(host, SECONDS)
    try:
        client.request(method, path, headers={"Content-Type": "application/json"})
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()


@contextmanager
def short_directory() -> Iterator[Path]:
    """Give a new directory whose path is short enough for a socket. It is removed afterwards, however deep it is."""
    path = tempfile.mkdtemp(prefix="dlab-")
    try:
        yield Path(path)
    finally:  # neither tempfile nor pytest could, because they remove directories by recursion
        subprocess.run(["rm", "-rf", path], check=True, timeout=SECONDS)


@pytest.mark.timeout(4 * SECONDS)
def test_everything_works_with_nested_directories() -> None:
    with short_directory() as base:
        engine = KillableEngine(base, os.environ.get("DOCKERLAB_ISOLATION", ""), SECONDS)
        engine.start()
        try:
            body = {"Image": "busybox", "Cmd": ["true"]}
            deep = ask(engine.host, "POST", "/containers/create?name=deep", body)[1]["Id"]
            nest(engine.state / "containers" / deep / "rootfs")
            assert ask(engine.host, "POST", f"/containers/{deep}/start")[0] == 204
            assert ask(engine.host, "POST", f"/containers/{deep}/wait")[1]["StatusCode"] == 0
            for path in ("/containers/json?all=1&size=1", "/system/df", f"/containers/{deep}/json?size=1"):
                assert send(engine.host, "GET", path)[0] == 200, path
            status, changes = send(engine.host, "GET", f"/containers/{deep}/changes")
            assert (status, changes.count(b'"Kind":1')) == (200, min(DEPTH + 1, WITH_PATH))
            assert send(engine.host, "GET", f"/containers/{deep}/export")[0] == 200
            assert send(engine.host, "POST", "/commit?container=deep&repo=deep")[0] == 201
            engine.kill()
            engine.start()
            assert send(engine.host, "GET", "/containers/json?all=1&size=1")[0] == 200
            assert send(engine.host, "DELETE", f"/containers/{deep}")[0] == 204
            assert engine.directories("containers") == set()
            again = ask(engine.host, "POST", "/containers/create", {**body, "Image": "deep"})[1]["Id"]
            nest(engine.state / "containers" / again / "rootfs/deep")
        finally:
            engine.reset()
        assert [path.name for path in engine.state.iterdir()] == ["start.lock"]
