"""Errors: their texts, their tree, and how they are copied, pickled and shown."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from datetime import UTC, datetime

import pytest

from dockerlab import errors
from dockerlab.protocol.advice import engine_error
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.operations import OPERATIONS


def exchange(operation: str, status: int, body: bytes, reason: str = "") -> Exchange:
    row = OPERATIONS[operation]
    return Exchange(
        row, {}, row.method, row.path, {}, b"", "unix:///s", datetime.now(UTC), status=status, reason=reason, body=body
    )


def error(operation: str, status: int, message: str = "no") -> errors.EngineError:
    return engine_error(exchange(operation, status, json.dumps({"message": message}).encode()))


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (301, errors.BadRequest),
        (400, errors.BadRequest),
        (401, errors.NotAllowed),
        (403, errors.NotAllowed),
        (404, errors.NotFound),
        (406, errors.BadRequest),
        (409, errors.Conflict),
        (500, errors.ServerError),
        (501, errors.ServerError),
        (503, errors.ServerError),
    ],
)
def test_the_status_determines_the_class_and_each_class_has_advice(
    status: int, error_class: type[errors.EngineError]
) -> None:
    result = error("ContainerInspect", status)
    assert type(result) is error_class
    assert result.status == status
    assert result.advice.endswith(".")
    assert str(result) == f"{status} ContainerInspect: no\n{result.advice}"


@pytest.mark.parametrize(
    ("operation", "status", "words"),
    [
        ("ContainerInspect", 404, "lab.container.list(all=True)"),
        ("ImageInspect", 404, "lab.image.list()"),
        ("ContainerCreate", 404, "lab.image.list()"),
        ("ImageCreate", 500, "pass registry_auth"),
        ("DistributionInspect", 403, "pass registry_auth"),
        ("SystemAuth", 500, "serveraddress"),
        ("PluginDelete", 409, "lab.plugin.disable(name)"),
        ("ContainerCreate", 409, "another name"),
        ("ContainerDelete", 409, "force=True"),
        ("ContainerKill", 409, "lab.container.start(id)"),
        ("ContainerTop", 409, "lab.container.start(id)"),
        ("ContainerLogs", 400, "stdout=True"),
        ("SwarmInspect", 503, "swarm manager"),
    ],
)
def test_advice_fits_the_operation(operation: str, status: int, words: str) -> None:
    assert words in error(operation, status).advice


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message":"No such container: x"}', "No such container: x"),
        # Podman's form, in which `message` says more than `cause`
        (b'{"cause":"no such container","message":"no container x found","response":404}', "no container x found"),
        (b'{"cause":"no such container","response":404}', "no such container"),
        (
            b'{"errorDetail":{"message":"authentication required"},"error":"authentication required"}',
            "authentication required",
        ),
        (b"404 page not found\n", "404 page not found"),
        (b"", "Not Found"),
        (b'["odd"]', "['odd']"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_the_message_is_found_in_the_body(body: bytes, message: str) -> None:
    assert engine_error(exchange("ContainerInspect", 404, body, "Not Found")).message == message


def test_control_characters_are_removed() -> None:
    result = error("ContainerInspect", 404, "a\x1b[2Jb\rc\x00d\x9be\u202ef\ttab\nline")
    assert result.message == "a\ufffd[2Jb\ufffdc\ufffdd\ufffde\ufffdf\ttab\nline"
    assert "\x1b" not in str(result)


def test_an_engine_error_survives_copying_and_pickling() -> None:
    original = error("ContainerDelete", 409, "running")
    for copied in (copy.copy(original), pickle.loads(pickle.dumps(original))):
        assert type(copied) is errors.Conflict
        assert (str(copied), copied.status, copied.operation) == (str(original), 409, "ContainerDelete")


def test_a_notebook_shows_only_the_message() -> None:
    result = error("ContainerInspect", 404)
    text = "".join(result._render_traceback_())
    assert text == f"dockerlab.errors.NotFound: {result}\n"
    try:
        raise result
    except errors.DockerlabError as raised:  # outside notebooks the traceback is Python's own
        assert "test_a_notebook_shows_only_the_message" in "".join(traceback.format_exception(raised))


def test_the_tree_is_as_its_docstring_draws_it() -> None:
    names = {line.partition("── ")[2].split()[0] for line in (errors.__doc__ or "").splitlines() if "── " in line}
    for name in names:
        assert issubclass(getattr(errors, name), errors.DockerlabError)
    assert names | {"DockerlabError"} == {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert issubclass(errors.ArgumentError, TypeError)
    assert issubclass(errors.EngineTimeout, errors.ConnectionFailed)
