"""Helper processes load only what they need: every start of a container waits for its shim."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dockerlab.engine.processes.isolation import HELPER_ENVIRONMENT

SHIM = {
    "dockerlab", "dockerlab.engine", "dockerlab.engine.common", "dockerlab.engine.common.json_files",
    "dockerlab.engine.common.proc", "dockerlab.engine.common.timestamps", "dockerlab.engine.common.tree",
    "dockerlab.engine.faults", "dockerlab.engine.processes", "dockerlab.engine.processes.syscalls",
    "dockerlab.engine.processes.shim", *(f"dockerlab.engine.processes.shim.{name}" for name in (
        "__main__", "child", "device_nodes", "frames", "init", "log", "mount_points", "mounts", "proot", "refusal",
        "reserved_file", "sysctls", "terminal", "watch",
    )),
}  # fmt: skip
LOADS = {
    "processes.shim.__main__": SHIM,
    "processes.shim.probe": {
        "dockerlab", "dockerlab.engine", "dockerlab.engine.common", "dockerlab.engine.common.proc",
        "dockerlab.engine.common.tree", "dockerlab.engine.processes", "dockerlab.engine.processes.syscalls",
        "dockerlab.engine.processes.shim", "dockerlab.engine.processes.shim.mount_points",
        "dockerlab.engine.processes.shim.probe", "dockerlab.engine.processes.shim.proot",
    },
    "processes.shim.spawner": SHIM | {"dockerlab.engine.processes.shim.spawner"},
    "networks.switch": {
        "dockerlab", "dockerlab.engine", "dockerlab.engine.common", "dockerlab.engine.common.json_files",
        "dockerlab.engine.common.proc",
        "dockerlab.engine.networks", "dockerlab.engine.networks.dns", "dockerlab.engine.networks.netlink",
        "dockerlab.engine.networks.switch", "dockerlab.engine.processes", "dockerlab.engine.processes.syscalls",
    },
}  # fmt: skip
#: Each of these would cost a start several milliseconds.
SLOW = {"asyncio", "dataclasses", "inspect", "logging", "pathlib", "shutil", "subprocess", "tempfile", "urllib"}


@pytest.mark.parametrize("helper", LOADS)
def test_a_helper_loads_only_its_own_modules_and_no_slow_ones(helper: str) -> None:
    code = f"import sys, dockerlab.engine.{helper}; print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True, text=True, check=True, timeout=60, env=HELPER_ENVIRONMENT,
    )  # fmt: skip
    modules = set(process.stdout.split())
    assert {name for name in modules if name.split(".")[0] == "dockerlab"} == LOADS[helper]
    assert modules & SLOW == set()
