"""The sealed copy of the interpreter, and what the engine says on a machine that runs no programs from memory."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dockerlab.engine.processes import sealed_program
from dockerlab.engine.processes.isolation import RUNGS, Rung

MEMFD_NOEXEC = Path("/proc/sys/vm/memfd_noexec")
WARNINGS = """
import pathlib, sys
pathlib.Path("/proc/sys/vm/memfd_noexec").write_text(sys.argv[1])
from dockerlab.engine.processes.isolation import choose
print(*choose("namespaces").warnings(), sep="\\n")
"""


def refuse_flag(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """Let the kernel refuse files in memory that are made for execution."""
    create = os.memfd_create

    def memfd_create(name: str, flags: int) -> int:
        if flags & sealed_program.MFD_EXEC:
            raise OSError(error, os.strerror(error))
        return create(name, flags)

    monkeypatch.setattr(os, "memfd_create", memfd_create)


def test_the_copy_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        program = sealed_program.open_interpreter()
        environment = {**sealed_program.environment(), "PYTHONHOME": sys.base_prefix}
        options = {"executable": f"/proc/self/fd/{program}", "pass_fds": [program], "env": environment}
        result = subprocess.run(["python", "-S", "-c", "print(1)"], capture_output=True, check=True, **options)
        os.close(program)
        assert result.stdout == b"1\n"
        refuse_flag(monkeypatch, errno.EINVAL)  # as an older kernel does
        assert sealed_program.is_possible()


@pytest.mark.parametrize("error", [errno.EACCES, errno.EPERM])
def test_a_copy_that_could_not_be_executed_is_not_made(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    refuse_flag(monkeypatch, error)
    assert not sealed_program.is_possible()
    with pytest.raises(PermissionError, match=r"vm\.memfd_noexec"):
        sealed_program.open_interpreter()


@pytest.mark.parametrize("rung", RUNGS[:2], ids=lambda rung: rung.name)
def test_a_rung_without_the_copy_has_a_warning(rung: Rung) -> None:
    [warning, _] = rung.without("interpreter").warnings()
    assert "vm.memfd_noexec" in warning


@pytest.mark.skipif(os.geteuid() != 0 or not MEMFD_NOEXEC.exists(), reason="needs root, and Linux 6.3")
@pytest.mark.parametrize(("value", "has_warning"), [("1", False), ("2", True)])
def test_the_engine_warns_where_the_kernel_forbids_programs_in_memory(value: str, has_warning: bool) -> None:
    before = MEMFD_NOEXEC.read_text()
    unshare = ["unshare", "--pid", "--fork", "--mount-proc"]  # the setting is one of a pid namespace
    result = subprocess.run(
        [*unshare, sys.executable, "-c", WARNINGS, value], capture_output=True, text=True, check=True
    )
    assert ("memfd_noexec" in result.stdout) is has_warning
    assert MEMFD_NOEXEC.read_text() == before
