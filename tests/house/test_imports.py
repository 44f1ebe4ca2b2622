"""The arrows between the rooms point one way, and nothing is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from repository import PACKAGE, ROOT, imported_names, modules, relative

HEAVY = ("pandas", "numpy", "ipywidgets", "IPython", "matplotlib", "requests", "rich", "click", "jupyter_server")
# besides these and the standard library the practice engine has nothing
ENGINE_MAY = {"h11", "wsproto", "urllib3", "dockerlab"}


def test_the_import_contracts_hold() -> None:
    ran = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_contracts_name_every_room_and_count_what_only_a_type_checker_reads() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert settings["exclude_type_checking_imports"] is False
    layers = [contract for contract in settings["contracts"] if contract["type"] == "layers"]
    assert [contract["containers"] for contract in layers] == [["dockerlab"], ["dockerlab.engine"]]
    assert all(contract["exhaustive"] for contract in layers)


def test_nobody_imports_the_practice_engine() -> None:
    wrong = [
        f"{relative(path)} imports {name}"
        for path in modules()
        if not path.is_relative_to(PACKAGE / "engine")
        for name in imported_names(path)
        if name.startswith("dockerlab.engine")
    ]
    assert wrong == []


def test_the_practice_engine_needs_three_libraries_and_the_endpoint_table() -> None:
    wrong = []
    neighbours = {path.stem for path in (PACKAGE / "engine/images/applets").glob("*.py")}  # these are run by their path
    for path in modules(PACKAGE / "engine"):
        for name in imported_names(path):
            top = name.split(".")[0]
            ours = name.startswith(("dockerlab.engine", "dockerlab.protocol.operations", "dockerlab.__version__"))
            known = top in sys.stdlib_module_names or top in ENGINE_MAY | neighbours
            if not known or (top == "dockerlab" and not ours and name != "dockerlab"):
                wrong.append(f"{relative(path)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("room", ["dockerlab", "dockerlab.protocol.operations", "dockerlab.engine"])
def test_importing_loads_nothing_heavy(room: str) -> None:
    code = f"import sys, {room}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert set(ran.stdout.split()).isdisjoint(HEAVY)
