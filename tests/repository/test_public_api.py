"""The public API is documented, every module says what is in it, `__all__` is complete, the package is typed."""

from __future__ import annotations

import ast
from pathlib import Path

from repository import PACKAGE, modules, relative

Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
#: The rooms and modules whose names users meet. Elsewhere a docstring is written only if it says more than the name.
PUBLIC = (
    *("dockerlab/groups/", "dockerlab/analyze/", "dockerlab/lab/", "dockerlab/widgets/", "dockerlab/errors.py"),
    *("dockerlab/endpoint/credentials.py", "dockerlab/endpoint/endpoint.py"),
    *("dockerlab/protocol/exchange.py", "dockerlab/transport/hijack.py"),
)
#: These stay empty, because the shim runs without site-packages and must load nothing that it doesn't need.
EMPTY = {f"dockerlab/engine/{folder}/__init__.py" for folder in ("processes", "processes/shim", "common")}


def public(body: list[ast.stmt]) -> list[Named]:
    """Return the public functions and classes in a body."""
    return [node for node in body if isinstance(node, Named) and not node.name.startswith("_")]


def exported(tree: ast.Module) -> list[str] | None:
    """Return the names in `__all__`, or None without one."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return [str(name) for name in ast.literal_eval(node.value)]  # type: ignore[attr-defined]
    return None


def undocumented(path: Path) -> list[str]:
    """Return the public functions, classes and methods of a file that have no docstring."""
    lines = []
    for node in public(ast.parse(path.read_text("utf-8")).body):
        members = public(node.body) if isinstance(node, ast.ClassDef) else []
        for definition in [node, *members]:
            if not ast.get_docstring(definition) and not decorated(definition, {"overload", "setter", "override"}):
                lines.append(f"{relative(path)}:{definition.lineno} {definition.name}")
    return lines


def decorated(node: Named, names: set[str]) -> bool:
    """Return whether a definition has one of these decorators."""
    return any(ast.unparse(decorator).split(".")[-1] in names for decorator in node.decorator_list)


def test_the_public_api_is_documented() -> None:
    paths = [path for path in modules() if relative(path).startswith(PUBLIC)]
    assert {relative(path).split("/")[1] for path in paths} >= {"groups", "analyze", "lab", "widgets", "errors.py"}
    assert [line for path in paths for line in undocumented(path)] == []


def test_every_module_says_what_is_in_it() -> None:
    texts = {relative(path): path.read_text("utf-8") for path in modules()}
    silent = {name for name, text in texts.items() if not ast.get_docstring(ast.parse(text))}
    assert silent == {name for name in EMPTY if texts[name] == ""}


def test_every_name_in_all_exists_and_every_all_is_complete() -> None:
    wrong = []
    for path in modules():
        tree = ast.parse(path.read_text("utf-8"))
        names = exported(tree)
        if names is not None and path.name != "__init__.py":
            missing = {node.name for node in public(tree.body)} - set(names)
            wrong += [f"{relative(path)}: {name} is public and not in __all__" for name in sorted(missing)]
        if names is not None and len(names) != len(set(names)):
            wrong.append(f"{relative(path)}: __all__ names something twice")
    assert wrong == []


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
