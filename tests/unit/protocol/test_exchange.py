"""An exchange contains no secrets, is safe to display, and can be shortened."""

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

FORMS = ("raw", "curl", "requests", "helper", "cli")


def exchange_of(operation: str, /, response: bytes = b"", **arguments: Any) -> Exchange:
    """Return the exchange of a call, with a response of our choice."""
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
        body=response,
        received=len(response),
    )


def all_forms(exchange: Exchange) -> str:
    """Return all texts that a reader sees without opening the response itself."""
    texts = [str(getattr(exchange, form)) for form in FORMS] + [repr(exchange), str(exchange.show())]
    texts += [exchange.show()._repr_html_(), exchange.show("raw")._repr_html_()]
    request_parts = (exchange.arguments, exchange.target, exchange.request_headers, exchange.request_body)
    return "\n".join([*texts, *map(repr, request_parts)])


# -- secrets

SECRET = st.text("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789_.!+", min_size=9, max_size=30).map(
    lambda text: f"Zz{text}zZ"
)


def leaks(secret: str, exchange: Exchange) -> bool:
    texts = all_forms(exchange)
    return secret in texts or base64.b64encode(secret.encode()).decode().rstrip("=")[2:-2] in texts


@given(SECRET)
def test_registry_credentials_never_appear(secret: str) -> None:
    credentials = {"username": "ada", "password": secret, "serveraddress": "registry.example"}
    assert not leaks(secret, exchange_of("ImagePush", name="web", registry_auth=credentials))
    assert not leaks(secret, exchange_of("ImagePush", name="web", registry_auth=secret))
    assert not leaks(secret, exchange_of("ImageCreate", from_image="web", registry_auth={"identitytoken": secret}))
    assert not leaks(secret, exchange_of("PluginPush", name="web", registry_auth=credentials))
    assert not leaks(secret, exchange_of("ImageBuild", body=b"", registry_config={"registry.example": credentials}))


@given(SECRET, st.sampled_from(["password", "PASSWORD", "Password", "identitytoken", "IdentityToken", "registrytoken"]))
def test_login_credentials_never_appear(secret: str, field: str) -> None:
    for exchange in (
        exchange_of("SystemAuth", body={"username": "ada", field: secret}),
        login_response("IdentityToken", secret),
    ):
        assert not leaks(secret, exchange)
        assert REDACTED in all_forms(exchange)
    assert "ada" in exchange_of("SystemAuth", body={"username": "ada", field: secret}).curl


def login_response(field: str, secret: str) -> Exchange:
    return exchange_of("SystemAuth", json.dumps({"Status": "ok", field: secret}).encode(), body={"username": "ada"})


@given(SECRET)
def test_keys_of_a_swarm_never_appear(secret: str) -> None:
    token = f"SWMTKN-1-{secret.replace('.', '-').replace('!', '-').replace('+', '-')}"
    assert not leaks(secret, exchange_of("SwarmUnlock", unlock_key=secret))
    assert not leaks(token, exchange_of("SwarmJoin", body={"RemoteAddrs": ["a:1"], "JoinToken": token}))
    response = json.dumps({"ID": "x", "JoinTokens": {"Worker": secret, "Manager": token}}).encode()
    exchange = exchange_of("SwarmInspect", response)
    assert not leaks(secret, exchange)
    assert not leaks(token, exchange)
    assert exchange.json()["JoinTokens"]["Worker"] == secret  # the caller still gets the whole response
    assert not leaks(secret, exchange_of("SwarmUnlockkey", json.dumps({"UnlockKey": secret}).encode()))
    assert not leaks(secret, exchange_of("SecretCreate", body={"Name": "x", "Data": secret}))
    assert not leaks(secret, exchange_of("SwarmInit", spec={"CAConfig": {"SigningCAKey": secret}}))


@given(SECRET)
def test_a_password_inside_a_text_never_appears(secret: str) -> None:
    plain = secret.replace("!", "x").replace("+", "x")
    assert not leaks(plain, exchange_of("ImageBuild", body=b"", remote=f"https://ada:{plain}@git.example/a.git"))
    assert not leaks(plain, exchange_of("ImageBuild", body=b"", remote=f"https://{plain}@git.example/a.git"))
    assert not leaks(plain, exchange_of("ImageBuild", body=b"", buildargs={"NPM_TOKEN": plain}))
    assert not leaks(plain, exchange_of("ImageBuild", body=b"", buildargs={"HTTP_PROXY": f"http://a:{plain}@proxy"}))
    options = {"type": "cifs", "o": f"addr=nas,username=ada,password={plain}"}
    assert not leaks(plain, exchange_of("VolumeCreate", name="share", driver_opts=options))
    assert not leaks(plain, exchange_of("ContainerCreate", image="busybox", env=[f"DB_PASSWORD={plain}", "A=b"]))


def test_other_values_stay() -> None:
    exchange = exchange_of(
        "ContainerCreate", name="author", image="busybox", labels={"author": "ada"}, env=["TOKENS=3"]
    )
    assert "ada" in exchange.helper
    assert exchange.target == "/v1.51/containers/create?name=author"
    assert exchange_of("ImageList", filters={"reference": "a@b"}).target.endswith(
        "%7B%22reference%22:%5B%22a@b%22%5D%7D"
    )
    plain = {"a": [1, 2]}
    exchange_of("ContainerCreate", body={"Image": "busybox", "Labels": plain})
    assert plain == {"a": [1, 2]}


def test_secrets_are_redacted_in_a_new_exchange_and_in_its_copies() -> None:
    exchange = exchange_of("ImagePush", name="web", registry_auth="c2VjcmV0c2VjcmV0")
    assert exchange.arguments["registry_auth"] == REDACTED
    assert replace(exchange, request_headers={"x-registry-auth": "abc"}).request_headers == {
        "x-registry-auth": REDACTED
    }


# -- reading


def test_text_json_and_headers() -> None:
    exchange = exchange_of("SystemVersion", b'{"Version":"1"}')
    assert exchange.json() == {"Version": "1"}
    assert exchange.text == '{"Version":"1"}'
    assert exchange.header("content-type") == "application/json"
    assert exchange.header("Date") == ""
    assert repr(exchange) == "<Exchange GET /v1.51/version · 200 OK>"
    with pytest.raises(ValueError, match="the response is not JSON"):
        exchange_of("SystemPing", b"OK").json()


def test_a_shortened_copy_says_so() -> None:
    exchange = exchange_of("ContainerList", b"[" + b"1," * 500 + b"1]")
    assert exchange.shortened(2000) is exchange
    copy = exchange.shortened(100)
    assert (len(copy.body), len(exchange.body), copy.received) == (100, 1003, 1003)
    assert "(the wire kept 100 of 1003 bytes)" in copy.raw
    with pytest.raises(ValueError, match="kept only 100 of the 1003 bytes"):
        copy.json()
    assert exchange.json()[0] == 1


# -- showing


def test_a_terminal_shows_text_and_a_notebook_escaped_html() -> None:
    exchange = exchange_of("ContainerInspect", b'{"Name":"<script>alert(1)</script>&\\u001b[2J"}', id="<b>&")
    for view in (exchange.show(), exchange.show("raw")):
        html = view._repr_html_()
        assert "<script" not in html
        assert "<b>" not in html
        assert repr(view) == str(view)
    assert "&lt;script&gt;" in exchange.show("raw")._repr_html_()
    assert "\x1b" not in exchange.raw


def test_each_form_has_a_heading_and_empty_forms_are_left_out() -> None:
    text = str(exchange_of("ContainerInspect", id="web").show())
    assert [line.split()[0] for line in text.splitlines() if line] == ["curl", "requests", "helper", "cli"]
    text = str(exchange_of("SystemPing").show())
    assert [line.split()[0] for line in text.splitlines() if line] == ["curl", "requests", "helper"]
    assert str(exchange_of("SystemPing").show("helper")) == "lab.system.ping()"
    assert str(exchange_of("SystemPing").show("cli")) == ""
    with pytest.raises(ValueError, match="Choose one of raw, curl, requests, helper, cli"):
        exchange_of("SystemPing").show("wget")
