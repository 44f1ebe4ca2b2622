"""A container may set only those kernel settings that belong to its own namespaces; the messages are runc's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dockerlab.engine.processes.shim import sysctls
from dockerlab.engine.processes.shim.refusal import NOT_FOUND, NOT_STARTED, StartRefused

CONFLICT = 'sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field'
ALL = {"ipc", "net", "uts", "pid", "mnt"}


@pytest.mark.parametrize(
    "name",
    [
        *("net.ipv4.ip_forward", "net/ipv4/ip_forward", "net/ipv4/conf/eth0.1/forwarding"),
        *("kernel.msgmax", "kernel.shm_rmid_forced", "kernel/sem", "fs.mqueue.msg_max", "kernel.domainname"),
    ],
)
def test_settings_of_own_namespaces_are_allowed(name: str) -> None:
    assert sysctls.refusal(name, ALL) == ""


@pytest.mark.parametrize(
    ("name", "missing", "reason"),
    [
        ("kernel.core_pattern", "", 'sysctl "kernel.core_pattern" is not in a separate kernel namespace'),
        ("kernel/core_pattern", "", 'sysctl "kernel.core_pattern" is not in a separate kernel namespace'),
        ("vm.overcommit_memory", "", 'sysctl "vm.overcommit_memory" is not in a separate kernel namespace'),
        ("", "", 'sysctl "" is not in a separate kernel namespace'),
        ("net", "", 'sysctl "net" is not in a separate kernel namespace'),
        ("kernel.hostname", "", CONFLICT),
        ("kernel.domainname", "uts", 'sysctl "kernel.domainname" is not in a separate kernel namespace'),
        ("kernel.hostname", "uts", 'sysctl "kernel.hostname" is not in a separate kernel namespace'),
        ("net.ipv4.ip_forward", "net", 'sysctl "net.ipv4.ip_forward" not allowed in host network namespace'),
        ("kernel.msgmax", "ipc", 'sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace'),
        ("fs.mqueue.msg_max", "ipc", 'sysctl "fs.mqueue.msg_max" is not allowed in the hosts ipc namespace'),
    ],
)
def test_other_settings_are_refused(name: str, missing: str, reason: str) -> None:
    assert sysctls.refusal(name, ALL - {missing}) == reason


@pytest.mark.parametrize(
    "name", ["net.", "net..x", "net/../kernel/core_pattern", "net/./ipv4", "net.//.kernel", "net.ipv4.no_such_setting"]
)
def test_a_setting_is_never_looked_for_elsewhere(name: str) -> None:
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    with pytest.raises(StartRefused, match=f"^open sysctl {name} file: no such file or directory$") as refusal:
        sysctls.write(proc, {name: "1"}, "")
    os.close(proc)
    assert refusal.value.code == NOT_FOUND


def test_only_files_of_proc_are_written(tmp_path: Path) -> None:
    (tmp_path / "sys/net").mkdir(parents=True)
    (tmp_path / "sys/net/file").touch()
    (tmp_path / "sys/net/link").symlink_to("file")
    directory = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    for name in ("net.file", "net.link"):
        with pytest.raises(StartRefused, match=f"^open sysctl {name} file: ") as refusal:
            sysctls.write(directory, {name: "1"}, "")
        assert refusal.value.code == NOT_STARTED
    os.close(directory)
    assert (tmp_path / "sys/net/file").read_text() == ""
