"""A handler of the practice engine never chooses an error status: it raises a fault, and one table has the statuses."""

from __future__ import annotations

import ast

from repository import PACKAGE, relative

RESPONSES = {"Response", "json_response", "text_response", "error_response"}
FIRST_ERROR = 400


def error_statuses(tree: ast.AST) -> list[int]:
    """Return the lines that create a response with the status of an error."""
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RESPONSES
    ]
    return [
        call.lineno
        for call in calls
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int) and argument.value >= FIRST_ERROR
    ]


def test_no_error_status_is_chosen_outside_the_table() -> None:
    lines_by_file = {
        relative(path): lines
        for path in sorted((PACKAGE / "engine").rglob("*.py"))
        if (lines := error_statuses(ast.parse(path.read_text("utf-8"))))
    }
    assert lines_by_file == {}


def test_the_search_finds_statuses() -> None:
    assert error_statuses(ast.parse("x = 1\nreturn_ = Response(404, b'no')")) == [2]
    assert error_statuses(ast.parse("Response(204)")) == []
