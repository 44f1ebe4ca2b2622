"""An exchange holds no secret, shows itself safely, and can be cut."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.redaction import REDACTED
from dockerlab.protocol.request import encode

WAYS = ("raw", "curl", "requests", "helper", "cli")


def asked(operation: str, /, answer: bytes = b"", **arguments: Any) -> Exchange:
    """Make the exchange that a call makes, with an answer of our choice."""
    request = encode(OPERATIONS[operation], arguments, "1.51")
    return Exchange(
        operation=request.operation,
        arguments=request.arguments,
        method=request.operation.method,
        target=request.target,
        request_headers={"Host": "localhost", **request.headers},
        request_body=request.body if isinstance(request.body, bytes) else b"",
        docker_host="unix:///run/e.sock",
        started=datetime(2026, 1, 2, tzinfo=UTC),
        status=200,
        reason="OK",
        headers=[("Content-Type", "application/json")],
        body=answer,
        received=len(answer),
    )


def everything_shown(exchange: Exchange) -> str:
    """Give whatever a reader can get to see without asking for the answer itself."""
    shown = [str(getattr(exchange, way)) for way in WAYS] + [repr(exchange), str(exchange.show())]
    shown += [exchange.show()._repr_html_(), exchange.show("raw")._repr_html_()]
    sent = (exchange.arguments, exchange.target, exchange.request_headers, exchange.request_body)
    return "\n".join([*shown, *map(repr, sent)])


# -- secrets

SECRET = st.text("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789_.!+", min_size=9, max_size=30).map(
    lambda text: f"Zz{text}zZ"
)


def leaks(secret: str, exchange: Exchange) -> bool:
    shown = everything_shown(exchange)
    return secret in shown or base64.b64encode(secret.encode()).decode().rstrip("=")[2:-2] in shown


@given(SECRET)
def test_registry_credentials_never_appear(secret: str) -> None:
    given_ = {"username": "ada", "password": secret, "serveraddress": "registry.example"}
    assert not leaks(secret, asked("ImagePush", name="web", registry_auth=given_))
    assert not leaks(secret, asked("ImagePush", name="web", registry_auth=secret))
    assert not leaks(secret, asked("ImageCreate", from_image="web", registry_auth={"identitytoken": secret}))
    assert not leaks(secret, asked("PluginPush", name="web", registry_auth=given_))
    assert not leaks(secret, asked("ImageBuild", body=b"", registry_config={"registry.example": given_}))


@given(SECRET, st.sampled_from(["password", "PASSWORD", "Password", "identitytoken", "IdentityToken", "registrytoken"]))
def test_what_logs_in_never_appears(secret: str, field: str) -> None:
    for exchange in (asked("SystemAuth", body={"username": "ada", field: secret}), answered("IdentityToken", secret)):
        assert not leaks(secret, exchange)
        assert REDACTED in everything_shown(exchange)
    assert "ada" in asked("SystemAuth", body={"username": "ada", field: secret}).curl


def answered(field: str, secret: str) -> Exchange:
    return asked("SystemAuth", json.dumps({"Status": "ok", field: secret}).encode(), body={"username": "ada"})


@given(SECRET)
def test_what_opens_a_swarm_never_appears(secret: str) -> None:
    token = f"SWMTKN-1-{secret.replace('.', '-').replace('!', '-').replace('+', '-')}"
    assert not leaks(secret, asked("SwarmUnlock", unlock_key=secret))
    assert not leaks(token, asked("SwarmJoin", body={"RemoteAddrs": ["a:1"], "JoinToken": token}))
    answer = json.dumps({"ID": "x", "JoinTokens": {"Worker": secret, "Manager": token}}).encode()
    exchange = asked("SwarmInspect", answer)
    assert not leaks(secret, exchange)
    assert not leaks(token, exchange)
    assert exchange.json()["JoinTokens"]["Worker"] == secret  # whoever asked gets the answer
    assert not leaks(secret, asked("SwarmUnlockkey", json.dumps({"UnlockKey": secret}).encode()))
    assert not leaks(secret, asked("SecretCreate", body={"Name": "x", "Data": secret}))
    assert not leaks(secret, asked("SwarmInit", spec={"CAConfig": {"SigningCAKey": secret}}))


@given(SECRET)
def test_a_password_inside_a_text_never_appears(secret: str) -> None:
    plain = secret.replace("!", "x").replace("+", "x")
    assert not leaks(plain, asked("ImageBuild", body=b"", remote=f"https://ada:{plain}@git.example/a.git"))
    assert not leaks(plain, asked("ImageBuild", body=b"", remote=f"https://{plain}@git.example/a.git"))
    assert not leaks(plain, asked("ImageBuild", body=b"", buildargs={"NPM_TOKEN": plain}))
    assert not leaks(plain, asked("ImageBuild", body=b"", buildargs={"HTTP_PROXY": f"http://a:{plain}@proxy"}))
    options = {"type": "cifs", "o": f"addr=nas,username=ada,password={plain}"}
    assert not leaks(plain, asked("VolumeCreate", name="share", driver_opts=options))
    assert not leaks(plain, asked("ContainerCreate", image="busybox", env=[f"DB_PASSWORD={plain}", "A=b"]))


def test_what_is_no_secret_stays() -> None:
    exchange = asked("ContainerCreate", name="author", image="busybox", labels={"author": "ada"}, env=["TOKENS=3"])
    assert "ada" in exchange.helper
    assert exchange.target == "/v1.51/containers/create?name=author"
    assert asked("ImageList", filters={"reference": "a@b"}).target.endswith("%7B%22reference%22:%5B%22a@b%22%5D%7D")
    plain = {"a": [1, 2]}
    asked("ContainerCreate", body={"Image": "busybox", "Labels": plain})
    assert plain == {"a": [1, 2]}


def test_hiding_happens_when_an_exchange_is_made_and_again_when_it_is_copied() -> None:
    exchange = asked("ImagePush", name="web", registry_auth="c2VjcmV0c2VjcmV0")
    assert exchange.arguments["registry_auth"] == REDACTED
    assert replace(exchange, request_headers={"x-registry-auth": "abc"}).request_headers == {
        "x-registry-auth": REDACTED
    }


# -- reading


def test_text_json_and_headers() -> None:
    exchange = asked("SystemVersion", b'{"Version":"1"}')
    assert exchange.json() == {"Version": "1"}
    assert exchange.text == '{"Version":"1"}'
    assert exchange.header("content-type") == "application/json"
    assert exchange.header("Date") == ""
    assert repr(exchange) == "<Exchange GET /v1.51/version · 200 OK>"
    with pytest.raises(ValueError, match="the response is not JSON"):
        asked("SystemPing", b"OK").json()


def test_a_copy_for_the_wire_is_cut_and_says_so() -> None:
    exchange = asked("ContainerList", b"[" + b"1," * 500 + b"1]")
    assert exchange.shortened(2000) is exchange
    kept = exchange.shortened(100)
    assert (len(kept.body), len(exchange.body), kept.received) == (100, 1003, 1003)
    assert "(the wire kept 100 of 1003 bytes)" in kept.raw
    with pytest.raises(ValueError, match="kept 100 of the 1003 bytes"):
        kept.json()
    assert exchange.json()[0] == 1


# -- showing


def test_a_terminal_gets_text_and_a_notebook_gets_escaped_html() -> None:
    exchange = asked("ContainerInspect", b'{"Name":"<script>alert(1)</script>&\\u001b[2J"}', id="<b>&")
    for shown in (exchange.show(), exchange.show("raw")):
        page = shown._repr_html_()
        assert "<script" not in page
        assert "<b>" not in page
        assert repr(shown) == str(shown)
    assert "&lt;script&gt;" in exchange.show("raw")._repr_html_()
    assert "\x1b" not in exchange.raw


def test_all_four_ways_have_headings_and_an_empty_one_is_left_out() -> None:
    shown = str(asked("ContainerInspect", id="web").show())
    assert [line.split()[0] for line in shown.splitlines() if line] == ["curl", "requests", "helper", "cli"]
    shown = str(asked("SystemPing").show())
    assert [line.split()[0] for line in shown.splitlines() if line] == ["curl", "requests", "helper"]
    assert str(asked("SystemPing").show("helper")) == "lab.system.ping()"
    assert str(asked("SystemPing").show("cli")) == ""
    with pytest.raises(ValueError, match="The ways are raw, curl, requests, helper, cli"):
        asked("SystemPing").show("wget")
