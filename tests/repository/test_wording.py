"""Names are nouns and verbs, and a docstring says more than the name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from repository import ROOT, modules, relative

#: Participles that don't say what a value is. Name it by its noun: response, arguments, matches, container, expected, …
PARTICIPLES = {
    *("told", "asked", "found", "made", "known", "given", "meant", "wanted", "said", "heard", "ran", "got"),
    *("kept", "left", "taken", "began", "begun", "opened"),
}
#: Docstrings without information, such as "Give itself." or "Close it."
EMPTY_SENTENCE = re.compile(
    r"(Give|Close|Take|Do|Make|Open|Read|Stop|Start|Say|Tell) (it|itself|them|what it is told|what is told|nothing)\."
)
#: Parameters of the public API keep their names.
PUBLIC = {"dockerlab/course/lesson.py": "wanted", "dockerlab/lab/lab.py": "asked"}
#: These came with the facts of the API, and stay as they came.
FOREIGN = {"tests/spec/kinds.py", "tests/spec/probe.py", "tests/spec/validate.py"}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield every module of the repository with its syntax tree."""
    for path in modules(ROOT):
        if relative(path) not in FOREIGN:
            yield path, ast.parse(path.read_text("utf-8"))


def defined_names(node: ast.AST) -> list[str]:
    """Return the name of a variable, attribute, parameter, function or class that a node defines."""
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.id if isinstance(node, ast.Name) else node.attr]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    return [node.name] if isinstance(node, ast.ExceptHandler) and node.name else []


def test_no_name_is_a_bare_participle() -> None:
    wrong = [
        f"{relative(path)}:{node.lineno} {name}"  # type: ignore[attr-defined]
        for path, tree in trees()
        for node in ast.walk(tree)
        for name in defined_names(node)
        if name.strip("_") in PARTICIPLES and not (isinstance(node, ast.arg) and PUBLIC.get(relative(path)) == name)
    ]
    assert wrong == []


def test_no_docstring_is_empty_of_meaning() -> None:
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    wrong = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, definitions) and EMPTY_SENTENCE.fullmatch(ast.get_docstring(node) or "")
    ]
    assert wrong == []


def test_names_are_recognized() -> None:
    text = "told = self.made = 1\ndef found(asked): ...\nfor known in x: ..."
    names = [name for node in ast.walk(ast.parse(text)) for name in defined_names(node)]
    assert sorted(names) == ["asked", "found", "known", "made", "told"]
