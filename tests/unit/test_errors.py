"""Errors: their texts, their tree, and how they travel."""

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
    ("status", "kind"),
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
def test_status_chooses_the_kind_and_every_kind_has_advice(status: int, kind: type[errors.EngineError]) -> None:
    found = error("ContainerInspect", status)
    assert type(found) is kind
    assert found.status == status
    assert found.advice.endswith(".")
    assert str(found) == f"{status} ContainerInspect: no\n{found.advice}"


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
        # Podman's form: `message` says more than `cause`
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
def test_the_engines_words_are_found(body: bytes, message: str) -> None:
    assert engine_error(exchange("ContainerInspect", 404, body, "Not Found")).message == message


def test_what_moves_a_terminals_cursor_is_taken_out() -> None:
    found = error("ContainerInspect", 404, "a\x1b[2Jb\rc\x00d\x9be\u202ef\ttab\nline")
    assert found.message == "a\ufffd[2Jb\ufffdc\ufffdd\ufffde\ufffdf\ttab\nline"
    assert "\x1b" not in str(found)


def test_an_engine_error_survives_copying_and_pickling() -> None:
    found = error("ContainerDelete", 409, "running")
    for other in (copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert type(other) is errors.Conflict
        assert (str(other), other.status, other.operation) == (str(found), 409, "ContainerDelete")


def test_a_notebook_shows_the_message_alone() -> None:
    found = error("ContainerInspect", 404)
    shown = "".join(found._render_traceback_())
    assert shown == f"dockerlab.errors.NotFound: {found}\n"
    try:
        raise found
    except errors.DockerlabError as caught:  # elsewhere the traceback is Python's own
        assert "test_a_notebook_shows_the_message_alone" in "".join(traceback.format_exception(caught))


def test_the_tree_is_as_its_docstring_draws_it() -> None:
    drawn = {line.partition("── ")[2].split()[0] for line in (errors.__doc__ or "").splitlines() if "── " in line}
    for name in drawn:
        assert issubclass(getattr(errors, name), errors.DockerlabError)
    assert drawn | {"DockerlabError"} == {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert issubclass(errors.ArgumentError, TypeError)
    assert issubclass(errors.EngineTimeout, errors.ConnectionFailed)
