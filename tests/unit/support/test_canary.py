"""The canary notices what changes on the machine, and never undoes a change that the machine's user may have made."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import canary
import pytest


def test_a_file_of_the_host_keeps_its_change_and_a_copy_of_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    users = tmp_path / "passwd"
    users.write_text("root:x:0:0::/:/bin/sh\n")
    monkeypatch.setattr(canary, "HOST_FILES", (str(users),))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    watcher = canary.Canary()
    users.write_text("root:x:0:0::/:/bin/sh\nnew:x:1000:1000::/:/bin/sh\n")
    assert any(sentence.startswith(f"{users} of the host: its size was 22 ") for sentence in watcher.differences())
    watcher.remove()
    assert users.read_text().endswith("new:x:1000:1000::/:/bin/sh\n")
    command = re.search(rf"cp (\S+) {users}$", capsys.readouterr().out)
    assert command
    assert Path(command[1]).read_text() == "root:x:0:0::/:/bin/sh\n"
    assert Path(command[1]).parent.stat().st_mode & 0o077 == 0
    assert not watcher.path.exists()
