"""Push and pull with a registry: credentials good and wrong, missing tags, broken blobs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from urllib.parse import quote, urlencode

import pytest
from plain_http import ask, json_lines, send_raw
from processes import serving_in_thread
from registries import PASSWORD, USER, SameResponse, small_registry

from dockerlab.engine.faults import Fault
from dockerlab.engine.images.pull_push import check_kind
from dockerlab.engine.images.registry import DOCKER, DOCKER_LIST, OCI, OCI_INDEX, Manifest

#: No credentials: an empty JSON object.
EMPTY = {"X-Registry-Auth": "e30="}


def credentials(password: str = PASSWORD) -> dict[str, str]:
    """Return the header with the registry's user and a password."""
    text = json.dumps({"username": USER, "password": password})
    return {"X-Registry-Auth": base64.urlsafe_b64encode(text.encode()).decode()}


@pytest.mark.parametrize("auth", ["none", "basic", "token"])
def test_push_and_pull(practice_host: str, image_name: str, auth: str) -> None:
    with small_registry(auth) as registry:
        repository = f"{registry.name}/team/{image_name}"
        assert ask(practice_host, "POST", f"/images/busybox/tag?repo={repository}&tag=1")[0] == 201
        path = f"/images/{quote(repository, safe='')}/push?tag=1"
        pushed = json_lines(send_raw(practice_host, "POST", path, headers=credentials())[1])
        assert pushed[0] == {"status": f"The push refers to repository [{repository}]"}
        assert "error" not in pushed[-1], pushed[-1]
        digest = pushed[-1]["aux"]["Digest"]
        assert digest == f"sha256:{hashlib.sha256(registry.manifests[f'team/{image_name}', '1'][1]).hexdigest()}"
        assert ask(practice_host, "DELETE", f"/images/{quote(repository, safe='')}:1?force=1")[0] == 200
        path = f"/images/create?{urlencode({'fromImage': repository, 'tag': '1'})}"
        pulled = json_lines(send_raw(practice_host, "POST", path, headers=credentials())[1])
        assert pulled[-2:] == [
            {"status": f"Digest: {digest}"},
            {"status": f"Status: Downloaded newer image for {repository}:1"},
        ]
        image = ask(practice_host, "GET", f"/images/{quote(repository, safe='')}:1/json")[1]
        assert image["Id"] == ask(practice_host, "GET", "/images/busybox/json")[1]["Id"]
        assert f"{repository}@{digest}" in image["RepoDigests"]
        status, data, _ = send_raw(practice_host, "GET", f"/distribution/{repository}:1/json", headers=credentials())
        assert status == 200
        assert json.loads(data)["Descriptor"]["digest"] == digest


def test_wrong_credentials_are_refused(practice_host: str, image_name: str) -> None:
    with small_registry("token") as registry:
        repository = f"{registry.name}/team/{image_name}"
        path = f"/images/create?{urlencode({'fromImage': repository, 'tag': '1'})}"
        status, data, _ = send_raw(practice_host, "POST", path, headers=credentials("wrong"))
        assert status == 401
        assert "unauthorized" in json.loads(data)["message"]
        assert "wrong" not in data.decode()
        body = {"username": USER, "password": "wrong", "serveraddress": registry.name}
        assert ask(practice_host, "POST", "/auth", body)[0] == 401
        body["password"] = PASSWORD
        assert ask(practice_host, "POST", "/auth", body) == (200, {"Status": "Login Succeeded", "IdentityToken": ""})


def test_a_registry_with_basic_authentication(practice_host: str, image_name: str) -> None:
    """The messages are those of Docker 28.5."""
    with small_registry("basic") as registry:
        repository, base = f"{registry.name}/{image_name}", f"http://{registry.name}/v2/"
        path = f"/images/create?{urlencode({'fromImage': repository, 'tag': '1'})}"
        status, data, _ = send_raw(practice_host, "POST", path, headers=credentials("wrong"))
        assert (status, json.loads(data)["message"]) == (401, "unauthorized: authentication required")
        status, response = ask(practice_host, "POST", path)
        assert (status, response["message"]) == (
            500,
            f'Head "{base}{image_name}/manifests/1": no basic auth credentials',
        )
        status, response = ask(practice_host, "POST", f"/images/create?{urlencode({'fromImage': repository})}")
        assert (status, response["message"]) == (500, f'Get "{base}{image_name}/tags/list": no basic auth credentials')
        ask(practice_host, "POST", f"/images/busybox/tag?repo={repository}&tag=1")
        for headers, words in ((EMPTY, "no basic auth credentials"), (credentials("wrong"), "unauthorized: ")):
            pushed = send_raw(practice_host, "POST", f"/images/{quote(repository, safe='')}/push", headers=headers)
            assert json_lines(pushed[1])[-1]["error"].startswith(words)
        body = {"username": USER, "password": "wrong", "serveraddress": registry.name}
        status, response = ask(practice_host, "POST", "/auth", body)
        assert (status, response["message"]) == (500, f"login attempt to {base} failed with status: 401 Unauthorized")
        assert not registry.manifests


def test_a_push_of_a_missing_tag(practice_host: str, image_name: str) -> None:
    repository = f"127.0.0.1:1/{image_name}"
    path = f"/images/{quote(repository, safe='')}/push?tag=2"
    lines = json_lines(send_raw(practice_host, "POST", path, headers=EMPTY)[1])
    assert lines[-1]["error"] == f"An image does not exist locally with the tag: {repository}"
    ask(practice_host, "POST", f"/images/busybox/tag?repo={repository}&tag=1")
    lines = json_lines(send_raw(practice_host, "POST", path, headers=EMPTY)[1])
    assert lines[-1]["error"] == f"tag does not exist: {repository}:2"
    assert ask(practice_host, "DELETE", f"/images/{quote(repository, safe='')}:1")[0] == 200


def test_a_pull_of_a_missing_image(practice_host: str, image_name: str) -> None:
    with small_registry() as registry:
        repository = f"{registry.name}/{image_name}"
        status, response = ask(
            practice_host, "POST", f"/images/create?{urlencode({'fromImage': repository, 'tag': '1'})}"
        )
    assert status == 404
    assert response["message"] == f"manifest for {repository}:1 not found: manifest unknown: manifest unknown"


def test_an_unreachable_registry(practice_host: str) -> None:
    query = urlencode({"fromImage": "127.0.0.1:1/x", "tag": "1"})
    status, response = ask(practice_host, "POST", f"/images/create?{query}")
    assert status == 500
    assert "127.0.0.1:1" in response["message"]


def test_a_blob_with_a_wrong_digest_is_refused(practice_host: str, image_name: str) -> None:
    with small_registry() as registry:
        repository = f"{registry.name}/{image_name}"
        ask(practice_host, "POST", f"/images/busybox/tag?repo={repository}&tag=1")
        send_raw(practice_host, "POST", f"/images/{quote(repository, safe='')}/push?tag=1", headers=EMPTY)
        config = json.loads(registry.manifests[image_name, "1"][1])["config"]["digest"]
        registry.blobs[config] += b" "
        lines = json_lines(
            send_raw(practice_host, "POST", f"/images/create?{urlencode({'fromImage': repository, 'tag': '1'})}")[1]
        )
    assert lines[-1]["error"] == f"filesystem layer verification failed for digest {config}"


PULL = "/images/create?fromImage={}/x&tag=1"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (302, {"Location": "file:///etc/passwd"}),
        (302, {"Location": "ftp://127.0.0.1/x"}),
        (302, {"Location": "http://["}),
        (302, {"Location": "http://127.0.0.1:99999/"}),
        (401, {"WWW-Authenticate": 'Bearer realm="file:///etc/passwd",service="x"'}),
        (401, {"WWW-Authenticate": 'Bearer realm="gopher://127.0.0.1/"'}),
    ],
)
def test_a_registry_can_name_only_urls_of_the_web(practice_host: str, status: int, headers: dict[str, str]) -> None:
    with serving_in_thread(SameResponse()) as server:
        server.status, server.headers = status, headers
        answer = ask(practice_host, "POST", PULL.format(server.name))
    assert answer[0] == 500
    assert answer[1]["message"].endswith("the registry names a URL that is not https or http")


def test_credentials_stay_at_the_registry(practice_host: str) -> None:
    with serving_in_thread(SameResponse()) as other, serving_in_thread(SameResponse()) as registry:
        registry.status, registry.headers = 302, {"Location": f"http://{other.name}/v2/"}
        send_raw(practice_host, "POST", PULL.format(registry.name), headers=credentials())
        registry.status, registry.headers = 401, {"WWW-Authenticate": f'Basic realm="x", url="http://{other.name}"'}
        send_raw(practice_host, "POST", PULL.format(registry.name), headers=credentials())
        assert any(registry.credentials)
        assert other.credentials
        assert not any(other.credentials)


@pytest.mark.parametrize("token", ["a\r\nX-Other: b", "a b", "", None, 5])
def test_a_token_is_one_word(practice_host: str, token: object) -> None:
    with serving_in_thread(SameResponse()) as issuer, serving_in_thread(SameResponse()) as registry:
        registry.status = 401
        registry.headers = {"WWW-Authenticate": f'Bearer realm="http://{issuer.name}/token",service="x"'}
        issuer.content = json.dumps({"token": token}).encode()
        answer = ask(practice_host, "POST", PULL.format(registry.name))
    assert answer == (500, {"message": "authorization server did not include a token in the response"})
    assert not any(registry.credentials)


@pytest.mark.parametrize("media_type", [DOCKER, OCI, DOCKER_LIST, OCI_INDEX])
def test_a_manifest_has_one_meaning(media_type: str) -> None:
    image: dict[str, object] = {"config": {"digest": "x"}, "layers": [{"digest": "y"}]}
    index: dict[str, object] = {"manifests": [{"digest": "z"}]}
    for document in (image, index, {**image, "mediaType": media_type}):
        check_kind(Manifest(media_type, "", json.dumps(document).encode()))
    with pytest.raises(Fault, match="can't be a list of manifests, too"):
        check_kind(Manifest(media_type, "", json.dumps(image | index).encode()))
    with pytest.raises(Fault, match=f"mediaType in manifest should be '{re.escape(media_type)}' not 'other'"):
        check_kind(Manifest(media_type, "", json.dumps({**image, "mediaType": "other"}).encode()))
