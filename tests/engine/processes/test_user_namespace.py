"""If only part of the ids can be mapped, because a helper is missing or fails, a user has just one id inside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dockerlab.engine.processes.isolation import probe

#: Enters a namespace in which one kind of ids has no working helper, and prints the ids there.
PROGRAM = """\
import os, sys
from pathlib import Path
from dockerlab.engine.processes import user_namespace
state, broken, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3].split()
map_command = user_namespace._map_command
user_namespace._map_command = lambda pid, kind, own: command if kind == broken else map_command(pid, kind, own)
try:
    user_namespace.enter(state)
    print(os.getuid(), os.getgid(), user_namespace.can_change_owner())
finally:
    user_namespace.end(state)
"""


@pytest.mark.skipif(os.geteuid() == 0, reason="root maps ids by itself")
@pytest.mark.skipif("userns" not in [rung.name for rung in probe()], reason="no user namespaces here")
@pytest.mark.parametrize("broken", ["uid", "gid"])
@pytest.mark.parametrize("command", ["", "false"])
def test_a_partial_map_means_one_id(broken: str, command: str, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), broken, command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.stdout == "0 0 False\n", process.stderr
