"""Imports between rooms point in one direction, and nothing is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from repository import PACKAGE, ROOT, imported_names, modules, relative

HEAVY = ("pandas", "numpy", "ipywidgets", "IPython", "matplotlib", "requests", "rich", "click", "jupyter_server")
#: The only libraries of the practice engine, besides the standard library.
ENGINE_LIBRARIES = {"h11", "wsproto", "urllib3", "dockerlab"}


def test_the_import_contracts_hold() -> None:
    process = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr


def test_the_contracts_cover_every_room_and_type_only_imports() -> None:
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
    neighbours = {
        path.stem for path in (PACKAGE / "engine/images/applets").glob("*.py")
    }  # programs that import each other by file name
    for path in modules(PACKAGE / "engine"):
        for name in imported_names(path):
            top = name.split(".")[0]
            is_own = name.startswith(("dockerlab.engine", "dockerlab.protocol.operations", "dockerlab.__version__"))
            is_allowed = top in sys.stdlib_module_names or top in ENGINE_LIBRARIES | neighbours
            if not is_allowed or (top == "dockerlab" and not is_own and name != "dockerlab"):
                wrong.append(f"{relative(path)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("room", ["dockerlab", "dockerlab.protocol.operations", "dockerlab.engine"])
def test_importing_loads_nothing_heavy(room: str) -> None:
    code = f"import sys, {room}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert set(process.stdout.split()).isdisjoint(HEAVY)
