"""A user whose machine can map only part of the ids (users without groups, a helper that fails) is one user inside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dockerlab.engine.processes.isolation import probe

#: Enters a namespace where one kind's helper is what the test says, and writes a file as whoever it is there.
ENTERS = """\
import os, sys
from pathlib import Path
from dockerlab.engine import idmaps
state, lacking, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3].split()
found = idmaps._helper
idmaps._helper = lambda pid, kind, own: command if kind == lacking else found(pid, kind, own)
try:
    idmaps.enter(state)
    print(os.getuid(), os.getgid(), idmaps.many())
finally:
    idmaps.end(state)
"""


@pytest.mark.skipif(os.geteuid() == 0, reason="root maps ids by itself")
@pytest.mark.skipif("userns" not in [rung.name for rung in probe()], reason="no user namespaces here")
@pytest.mark.parametrize("lacking", ["uid", "gid"])
@pytest.mark.parametrize("command", ["", "false"])
def test_half_of_the_ids_is_one_user(lacking: str, command: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ENTERS, str(tmp_path), lacking, command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.stdout == "0 0 False\n", ran.stderr
