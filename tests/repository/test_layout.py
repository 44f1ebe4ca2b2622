"""The folders can be understood by looking at them, and imports don't avoid the contracts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import PACKAGE, ROOT, files, modules, relative

MAX_ENTRIES, MAX_MODULES = 15, 30
FRONT_DOOR = PACKAGE / "__init__.py"


def entries(folder: Path) -> set[str]:
    """Return the names of a folder's files and folders that are in git."""
    return {path.relative_to(folder).parts[0] for path in files() if path.is_relative_to(folder)}


@pytest.mark.parametrize("folder", [PACKAGE, PACKAGE / "engine"])
def test_a_package_shows_few_entries(folder: Path) -> None:
    names = entries(folder)
    assert len(names) <= MAX_ENTRIES, sorted(names)


def test_no_folder_has_too_many_modules() -> None:
    folders = {path.parent for path in modules(ROOT)}
    counts = {relative(folder): len([name for name in entries(folder) if "." not in name or name.endswith(".py")])
              for folder in folders}  # fmt: skip
    assert {name: count for name, count in counts.items() if count > MAX_MODULES} == {}


# -- no import by name ---------------------------------------------------------------------------------------


def first_text(node: ast.expr) -> str:
    """Return a string constant, or the part of an f-string before its first value."""
    if isinstance(node, ast.JoinedStr):
        return first_text(node.values[0]) if node.values else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def imports_by_name(tree: ast.AST) -> Iterator[str]:
    """Yield the names in `import_module("…")`, `__import__("…")`, `sys.modules["…"]` and `sys.modules.get("…")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func).rpartition(".")[2]
            if function in ("import_module", "__import__") or ast.unparse(node.func) == "sys.modules.get":
                yield first_text(node.args[0])
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.modules":
            yield first_text(node.slice)


def test_no_module_imports_another_room_by_its_name() -> None:
    wrong = [
        f"{relative(path)}: {name}"
        for path in modules()
        if path != FRONT_DOOR
        for name in imports_by_name(ast.parse(path.read_text("utf-8")))
        if name.startswith("dockerlab") and name.split(".")[1:2] != [path.relative_to(PACKAGE).parts[0]]
    ]
    assert wrong == []


def test_imports_by_name_are_recognized() -> None:
    text = (
        'import_module("a"); importlib.import_module(f"b.{x}"); sys.modules["c"]; sys.modules.get("d"); __import__("e")'
    )
    assert list(imports_by_name(ast.parse(text))) == ["a", "b.", "c", "d", "e"]
