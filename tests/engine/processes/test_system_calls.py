"""System calls about mounts, in a mount namespace of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dockerlab.engine.processes.isolation import HELPER_ENVIRONMENT, probe

PROGRAM = """
import errno, os, sys
from dockerlab.engine.processes import syscalls
top, is_old_kernel = sys.argv[1], len(sys.argv) > 2
if os.geteuid():
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    syscalls.map_root(uid, gid)
syscalls.unshare(syscalls.CLONE_NEWNS)
syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
if is_old_kernel:
    syscalls.MOUNT_SETATTR = 9999
for path in ("source", "source/below it", "source/below it/deep", "target", "beside"):
    os.makedirs(f"{top}/{path}", exist_ok=True)
    if path != "target":
        syscalls.mount("tmpfs", f"{top}/{path}", "tmpfs", syscalls.MS_NOEXEC)
syscalls.bind(f"{top}/source", f"{top}/target")
syscalls.restrict(f"{top}/target", syscalls.MS_RDONLY | syscalls.MS_NODEV)
os.mkdir(f"{top}/beside/moved")
syscalls.move(f"{top}/target", f"{top}/beside/moved")
for path in ("source", "source/below it", "beside", "beside/moved", "beside/moved/below it/deep"):
    flags = os.statvfs(f"{top}/{path}").f_flag
    print(path, flags & (syscalls.MS_RDONLY | syscalls.MS_NODEV | syscalls.MS_NOEXEC))
"""
EXPECTED = "source 8\nsource/below it 8\nbeside 8\nbeside/moved 13\nbeside/moved/below it/deep 13\n"


@pytest.mark.skipif(not any("namespaces" in rung.gives for rung in probe()), reason="no mount namespaces here")
@pytest.mark.parametrize("arguments", [[], ["old"]], ids=["with mount_setattr", "without it"])
def test_flags_apply_to_the_mounts_below_too(tmp_path: Path, arguments: list[str]) -> None:
    directory = tmp_path / "with a space, ä and \\"
    directory.mkdir()
    process = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM, str(directory), *arguments],
        capture_output=True, text=True, timeout=60, check=False, env=HELPER_ENVIRONMENT,
    )  # fmt: skip
    assert (process.stdout, process.stderr) == (EXPECTED, "")
