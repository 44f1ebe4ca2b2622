"""A handler of the practice engine never chooses a status: it raises a fault, and one table has the statuses."""

from __future__ import annotations

import ast

from repository import PACKAGE, relative

RESPONSES = {"Response", "json_response", "text_response", "error_response"}
BAD = 400


def chosen(tree: ast.AST) -> list[int]:
    """Give the lines in which an answer is made with the status of an error."""
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RESPONSES
    ]
    return [
        call.lineno
        for call in calls
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int) and argument.value >= BAD
    ]


def test_no_status_is_chosen_outside_of_the_table() -> None:
    found = {
        relative(path): lines
        for path in sorted((PACKAGE / "engine").rglob("*.py"))
        if (lines := chosen(ast.parse(path.read_text("utf-8"))))
    }
    assert found == {}


def test_the_search_finds_one_that_is() -> None:
    assert chosen(ast.parse("x = 1\nreturn_ = Response(404, b'no')")) == [2]
    assert chosen(ast.parse("Response(204)")) == []
