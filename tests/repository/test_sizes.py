"""A file has at most 400 lines, a function at most 40."""

from __future__ import annotations

import ast

import pytest
from repository import ROOT, files, functions, modules, relative

LINES, FUNCTION_LINES = 400, 40
HAND_WRITTEN = {".py", ".sh", ".md", ".toml", ".yaml", ".cfg", ""}


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function without its docstring, so that documentation costs no code."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def test_no_file_is_longer_than_400_lines() -> None:
    paths = [path for path in files() if path.suffix in HAND_WRITTEN and path.name != "LICENSE"]
    long = {relative(path): len(path.read_text("utf-8").splitlines()) for path in paths}
    assert {name: lines for name, lines in long.items() if lines > LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    long = [
        f"{relative(path)}:{function.lineno} {function.name}: {body_lines(function)}"
        for path in modules(ROOT)
        for function in functions(path)
        if body_lines(function) > FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "X" * 3])
def test_no_comment_postpones_work(word: str) -> None:
    marked = [relative(path) for path in modules(ROOT) if f"# {word}" in path.read_text("utf-8")]
    assert marked == []
