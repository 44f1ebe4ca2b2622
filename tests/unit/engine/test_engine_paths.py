"""Where an engine has its directories, who may use them, and to whom a client talks."""

from __future__ import annotations

import os
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from dockerlab.engine import control
from dockerlab.engine.common import engine_paths
from dockerlab.engine.common.proc import start_ticks
from dockerlab.engine.control import ControlError, EnginePaths, find_paths, is_answering, prepare_directories

LONG = "x" * 100


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Give a directory with a short path."""
    with tempfile.TemporaryDirectory(prefix="dlab-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    for name in ("DOCKERLAB_STATE", "DOCKERLAB_SOCKET", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(engine_paths, "tempfile", SimpleNamespace(gettempdir=lambda: str(temporary)))


def test_two_homes_have_two_sockets(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    sockets = set()
    for home in (f"/home/{LONG}/a", f"/home/{LONG}/b"):
        monkeypatch.setenv("HOME", home)
        sockets.add(find_paths().socket)
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
        sockets.add(find_paths().socket)
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert len(sockets) == 4
    assert {path.parent for path in sockets} == {temporary / f"dockerlab-{os.getuid()}", Path("/run/user/7/dockerlab")}
    assert all(path.name.startswith("engine-") for path in sockets)


def test_the_usual_home_has_the_usual_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    home = engine_paths.pwd.getpwuid(os.getuid()).pw_dir
    monkeypatch.setenv("HOME", home)
    assert find_paths().state == Path(home) / ".local/state/dockerlab"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert find_paths().socket == Path("/run/user/7/dockerlab/engine.sock")


def test_both_directories_become_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKERLAB_STATE", str(tmp_path / LONG / "state"))
    paths = find_paths()
    for directory in (paths.state, paths.socket.parent):
        directory.mkdir(parents=True)
        directory.chmod(0o755)
    prepare_directories(paths)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (paths.state, paths.socket.parent)] == [0o700, 0o700]


def test_the_directory_of_a_socket_that_the_user_names_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "sockets").mkdir(mode=0o755)
    prepare_directories(EnginePaths(tmp_path / "state", tmp_path / "sockets/e.sock"))
    assert stat.S_IMODE((tmp_path / "sockets").stat().st_mode) == 0o755


def test_a_socket_that_others_could_replace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sockets").mkdir()
    (tmp_path / "sockets").chmod(0o777)
    with pytest.raises(ControlError, match=r"chmod go-w .*export DOCKERLAB_SOCKET=PATH"):
        prepare_directories(EnginePaths(tmp_path / "state", tmp_path / "sockets/e.sock"))


def test_a_home_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    paths = find_paths(state=str(tmp_path / "home/dockerlab"))
    with pytest.raises(ControlError) as caught:
        control.ensure(paths)
    assert str(caught.value) == (
        f"{paths.state} can't be used (not a directory); choose another directory: export DOCKERLAB_STATE=DIR"
    )


def test_a_user_without_a_home_can_choose_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(engine_paths.Path, "home", no_home)
    with pytest.raises(ControlError, match=r"You have no home directory.*export DOCKERLAB_STATE=DIR"):
        find_paths()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_what_a_directory_says_that_others_can_write_to_is_not_believed(tmp_path: Path, mode: int) -> None:
    facts = {"pid": os.getpid(), "ticks": start_ticks(os.getpid())}
    control.json_files.write(tmp_path / "engine.json", facts)
    paths = EnginePaths(tmp_path, tmp_path / "e.sock")
    tmp_path.chmod(0o700)
    assert control.status(paths) == facts
    tmp_path.chmod(mode)
    assert control.status(paths) is None


@pytest.mark.parametrize("peer", ["own", "root's", "another user's"])
def test_only_a_process_of_this_user_or_of_root_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: str
) -> None:
    uid = {"own": os.getuid(), "root's": 0, "another user's": os.getuid() + 4711}[peer]
    monkeypatch.setattr(socket.socket, "getsockopt", lambda *_: struct.pack("iII", 1, uid, uid), raising=False)
    received = []

    def answer(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            received.append(client.recv(1000))
            if received[0]:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "e.sock"))
        listener.listen()
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        is_own = uid in (0, os.getuid())
        assert is_answering(EnginePaths(tmp_path, tmp_path / "e.sock")) is is_own
        thread.join(10)
    assert received[0].startswith(b"GET /_ping" if is_own else b"") and bool(received[0]) is is_own
