"""Which devices a container may open, as text for control groups of version 1 and as a program for version 2."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from bpf import filter_device

from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import devices

NULL, KMSG, FUSE, TUN, TERMINAL, DISK = (
    ("c", 1, 3), ("c", 1, 11), ("c", 10, 229), ("c", 10, 200), ("c", 136, 7), ("b", 254, 0),
)  # fmt: skip


def test_the_rules_of_version_1_are_lines() -> None:
    rules = devices.rules({"DeviceCgroupRules": ["c 1:11 rw", "b 254:* m", "a *:* r"]})
    lines = [str(rule) for rule in rules]
    assert lines[:3] == ["c *:* m", "b *:* m", "c 1:3 rwm"]
    assert lines[-3:] == ["c 1:11 rw", "b 254:* m", "a *:* r"]
    assert "c 136:* rwm" in lines


@pytest.mark.parametrize(
    ("device", "access", "host", "expected"),
    [
        (NULL, "rw", {}, True),
        (TERMINAL, "rw", {}, True),
        (TUN, "rw", {}, True),
        (KMSG, "m", {}, True),
        (DISK, "m", {}, True),
        (KMSG, "r", {}, False),
        (KMSG, "rm", {}, False),
        (FUSE, "rw", {}, False),
        (DISK, "r", {}, False),
        (KMSG, "r", {"DeviceCgroupRules": ["c 1:11 r"]}, True),
        (KMSG, "rm", {"DeviceCgroupRules": ["c 1:11 r"]}, False),
        (KMSG, "w", {"DeviceCgroupRules": ["c 1:11 r"]}, False),
        (KMSG, "r", {"DeviceCgroupRules": ["b 1:11 r"]}, False),
        (DISK, "rw", {"DeviceCgroupRules": ["b 254:* rwm"]}, True),
        (("b", 253, 0), "rw", {"DeviceCgroupRules": ["b 254:* rwm"]}, False),
        (("b", 253, 0), "r", {"DeviceCgroupRules": ["a *:0 r"]}, True),
    ],
)
def test_the_program_of_version_2_decides_as_the_rules(
    device: tuple[str, int, int], access: str, host: dict[str, list[str]], expected: bool
) -> None:
    assert filter_device(devices.device_program(devices.rules(host)), *device, access) is expected


def test_a_privileged_container_has_no_rules() -> None:
    assert devices.rules({"Privileged": True}) == []


@pytest.mark.parametrize("rule", ["", "c 1:3", "x 1:3 r", "c 1 r", "c 1:3 rwx", "c 1:3 rwmr", "c -1:3 r", "c 1:3 r\n"])
def test_an_invalid_rule_is_refused(rule: str) -> None:
    with pytest.raises(Fault) as error:
        devices.rules({"DeviceCgroupRules": [rule]})
    assert str(error.value) == f"invalid device cgroup rule format: '{rule}'"


def test_a_number_that_no_device_can_have_is_refused() -> None:
    for rule, field in (("c 99999999999:3 r", "major"), ("c 3:99999999999 r", "minor")):
        with pytest.raises(Fault, match=f"^invalid {field} value in device cgroup rule format: '{rule}'$"):
            devices.rules({"DeviceCgroupRules": [rule]})


def test_permissions_that_do_not_exist_are_ignored() -> None:
    mappings = [{"PathOnHost": "/dev/zero", "CgroupPermissions": text} for text in ("xyz", "rxw")]
    assert [str(rule) for rule in devices.rules({"Devices": mappings})][-1:] == ["c 1:5 rw"]


def test_a_device_is_described_by_its_numbers_and_a_link_leads_to_it(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    mapping = {"PathOnHost": str(link), "PathInContainer": "/dev/mine", "CgroupPermissions": "r"}
    (device,) = devices.requested_devices({"Devices": [mapping]})
    status = Path("/dev/zero").stat()
    assert device == {
        "source": "/dev/zero", "target": "/dev/mine", "kind": "c", "major": 1, "minor": 5, "access": "r",
        "mode": stat.S_IMODE(status.st_mode), "owner": [status.st_uid, status.st_gid],
    }  # fmt: skip
    assert "c 1:5 r" in [str(rule) for rule in devices.rules({"Devices": [mapping]})]


def test_a_directory_means_all_devices_below_it() -> None:
    mapping = {"PathOnHost": "/dev", "PathInContainer": "/machine/dev"}
    by_target = {device["target"]: device for device in devices.requested_devices({"Devices": [mapping]})}
    assert {"/machine/dev/null", "/machine/dev/zero"} <= by_target.keys()
    assert "/machine/dev/stdin" not in by_target, "links are not followed"
    assert os.makedev(by_target["/machine/dev/null"]["major"], by_target["/machine/dev/null"]["minor"]) == os.makedev(
        1, 3
    )


def test_a_directory_may_be_deep(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=directory)
        deeper = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = deeper
    os.close(directory)
    try:
        with pytest.raises(Fault, match=r"not a device node$"):
            devices.requested_devices({"Devices": [{"PathOnHost": str(tmp_path)}]})
    finally:  # pytest, which removes directories by recursion, could not
        subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True, timeout=60)


def test_what_is_no_device_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path, reason in (
        (file, "not a device node"),
        (tmp_path, "not a device node"),
        (tmp_path / "x", "no such file or directory"),
    ):
        with pytest.raises(Fault) as error:
            devices.requested_devices({"Devices": [{"PathOnHost": str(path)}]})
        assert str(error.value) == f'error gathering device information while adding custom device "{path}": {reason}'
