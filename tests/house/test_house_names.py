"""Every public name is documented and in `__all__`; the package says that it is typed."""

from __future__ import annotations

import ast
from pathlib import Path

from tree import PACKAGE, modules, short

Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(body: list[ast.stmt]) -> list[Named]:
    """List the functions and classes in a body that are for others."""
    return [node for node in body if isinstance(node, Named) and not node.name.startswith("_")]


def exported(tree: ast.Module) -> list[str] | None:
    """Give what `__all__` lists, or None."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return [str(name) for name in ast.literal_eval(node.value)]  # type: ignore[attr-defined]
    return None


def undocumented(path: Path) -> list[str]:
    """List what is public in a file and says nothing of itself."""
    tree = ast.parse(path.read_text("utf-8"))
    silent = [] if ast.get_docstring(tree) or not tree.body else [f"{short(path)}: the module"]
    for node in public(tree.body):
        members = public(node.body) if isinstance(node, ast.ClassDef) else []
        for named in [node, *members]:
            if not ast.get_docstring(named) and not decorated(named, {"overload", "setter", "override"}):
                silent.append(f"{short(path)}:{named.lineno} {named.name}")
    return silent


def decorated(node: Named, names: set[str]) -> bool:
    """Tell whether one of these decorators is on a definition."""
    return any(ast.unparse(decorator).split(".")[-1] in names for decorator in node.decorator_list)


def test_every_public_name_is_documented() -> None:
    assert [line for path in modules() for line in undocumented(path)] == []


def test_every_name_in_all_exists_and_every_all_is_complete() -> None:
    wrong = []
    for path in modules():
        tree = ast.parse(path.read_text("utf-8"))
        names = exported(tree)
        if names is not None and path.name != "__init__.py":
            missing = {node.name for node in public(tree.body)} - set(names)
            wrong += [f"{short(path)}: {name} is public and not in __all__" for name in sorted(missing)]
        if names is not None and len(names) != len(set(names)):
            wrong.append(f"{short(path)}: __all__ names something twice")
    assert wrong == []


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
