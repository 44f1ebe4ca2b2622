"""Images: tags and removal, commit, import, save and load, build, pull and push; and what goes wrong with each."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from archives import tar_of
from plain_http import ask, connection
from registries import PASSWORD, USER, small_registry


def raw(host: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    opened = connection(host, timeout=60)
    try:
        kinds = {
            "Content-Type": "application/x-tar",
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        opened.request(method, path, body=body or None, headers=kinds)
        answer = opened.getresponse()
        return answer.status, answer.read()
    finally:
        opened.close()


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines() if line.strip()]


@pytest.fixture
def name(practice_host: str) -> Iterator[str]:
    """Give a name for images of this test; all that have it are removed afterwards."""
    mine = f"t{uuid.uuid4().hex[:10]}"
    yield mine
    filters = quote(json.dumps({"reference": [f"{mine}*", f"*/{mine}*"]}))
    for image in ask(practice_host, "GET", f"/images/json?filters={filters}")[1]:
        for tag in image["RepoTags"]:
            ask(practice_host, "DELETE", f"/images/{quote(tag, safe='')}?force=1")


def run(host: str, image: str, command: list[str], labels: dict[str, str], **more: Any) -> str:
    body = {"Image": image, "Cmd": command, "Labels": labels, **more}
    status, told = ask(host, "POST", "/containers/create", body)
    assert status == 201, told
    assert ask(host, "POST", f"/containers/{told['Id']}/start")[0] == 204
    ask(host, "POST", f"/containers/{told['Id']}/wait")
    return str(told["Id"])


def output(host: str, container: str) -> str:
    _, data = raw(host, "GET", f"/containers/{container}/logs?stdout=1")
    text = b""
    while data:
        length = int.from_bytes(data[4:8], "big")
        text, data = text + data[8 : 8 + length], data[8 + length :]
    return text.decode()


def test_a_tag_and_its_removal(practice_host: str, name: str) -> None:
    before = ask(practice_host, "GET", "/images/busybox/json")[1]
    assert ask(practice_host, "POST", f"/images/busybox/tag?repo={name}&tag=1")[0] == 201
    assert f"{name}:1" in ask(practice_host, "GET", f"/images/{before['Id']}/json")[1]["RepoTags"]
    assert ask(practice_host, "DELETE", f"/images/{name}:1") == (200, [{"Untagged": f"{name}:1"}])
    assert ask(practice_host, "GET", f"/images/{name}:1/json")[0] == 404
    assert ask(practice_host, "GET", "/images/busybox/json")[0] == 200


def test_a_committed_container_is_an_image(practice_host: str, name: str, labels: dict[str, str]) -> None:
    container = run(practice_host, "busybox", ["sh", "-c", "echo data >/data; rm /etc/group"], labels)
    query = urlencode(
        {
            "container": container,
            "repo": name,
            "comment": "words",
            "author": "me",
            "changes": ['CMD ["cat", "/data"]', "ENV K=V", "EXPOSE 80"],
        },
        doseq=True,
    )
    status, told = ask(practice_host, "POST", f"/commit?{query}", {})
    assert status == 201
    image = ask(practice_host, "GET", f"/images/{name}/json")[1]
    assert (image["Id"], image["Comment"], image["Author"]) == (told["Id"], "words", "me")
    assert image["Config"]["ExposedPorts"] == {"80/tcp": {}}
    assert "K=V" in image["Config"]["Env"]
    assert len(image["RootFS"]["Layers"]) == 2
    assert output(practice_host, run(practice_host, name, [], labels)) == "data\n"
    gone = run(practice_host, name, ["sh", "-c", "test -e /etc/group || echo gone"], labels)
    assert output(practice_host, gone) == "gone\n"


def test_save_and_load_keep_the_bytes(practice_host: str, name: str, labels: dict[str, str]) -> None:
    container = run(practice_host, "busybox", ["sh", "-c", "echo kept >/file"], labels)
    ask(practice_host, "POST", f"/commit?container={container}&repo={name}&tag=1", {})
    identity = ask(practice_host, "GET", f"/images/{name}:1/json")[1]["Id"]
    status, saved = raw(practice_host, "GET", f"/images/{name}:1/get")
    assert status == 200
    ask(practice_host, "DELETE", f"/containers/{container}?force=1")
    assert {"Deleted": identity} in ask(practice_host, "DELETE", f"/images/{name}:1")[1]
    assert ask(practice_host, "GET", f"/images/{identity}/json")[0] == 404
    status, told = raw(practice_host, "POST", "/images/load", saved)
    assert lines(told) == [{"stream": f"Loaded image: {name}:1\n"}]
    assert ask(practice_host, "GET", f"/images/{name}:1/json")[1]["Id"] == identity
    assert output(practice_host, run(practice_host, f"{name}:1", ["cat", "/file"], labels)) == "kept\n"


def test_a_layer_that_is_not_what_it_says_is_not_loaded(practice_host: str) -> None:
    layer = tar_of(("a", b"content"))
    config = json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["evil:1"], "Layers": ["l.tar"]}]).encode()
    archive = tar_of(("c.json", config), ("l.tar", layer), ("manifest.json", manifest))
    [told] = lines(raw(practice_host, "POST", "/images/load", archive)[1])
    assert told["error"].startswith("invalid diffID for layer 0")
    assert ask(practice_host, "GET", "/images/evil:1/json")[0] == 404


@pytest.mark.parametrize("rubbish", [b"nonsense", b"\x1f\x8brubbish", tar_of(("a", b"x"))], ids=["text", "gzip", "tar"])
def test_what_is_no_archive_is_not_loaded(practice_host: str, rubbish: bytes) -> None:
    status, told = raw(practice_host, "POST", "/images/load", rubbish)
    assert status == 200
    assert "error" in lines(told)[-1]


def test_an_import_is_one_layer(practice_host: str, name: str, labels: dict[str, str]) -> None:
    query = urlencode({"fromSrc": "-", "repo": name, "tag": "flat", "changes": 'CMD ["x"]', "message": "mine"})
    status, told = raw(practice_host, "POST", f"/images/create?{query}", tar_of(("etc/file", b"content")))
    assert status == 200
    image = ask(practice_host, "GET", f"/images/{name}:flat/json")[1]
    assert lines(told)[-1] == {"status": image["Id"]}
    assert (image["Comment"], image["Config"]["Cmd"], len(image["RootFS"]["Layers"])) == ("mine", ["x"], 1)
    body = {"Image": f"{name}:flat", "Labels": labels}
    container = ask(practice_host, "POST", "/containers/create", body)[1]["Id"]
    _, data = raw(practice_host, "GET", f"/containers/{container}/archive?path=/etc/file")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert [member.name for member in tar] == ["file"]


def test_an_image_in_use_stays(practice_host: str, name: str, labels: dict[str, str]) -> None:
    query = urlencode({"fromSrc": "-", "repo": name, "changes": 'CMD ["x"]'})
    raw(practice_host, "POST", f"/images/create?{query}", tar_of(("f", b"x")))
    container = ask(practice_host, "POST", "/containers/create", {"Image": name, "Labels": labels})[1]["Id"]
    status, told = ask(practice_host, "DELETE", f"/images/{name}")
    assert status == 409
    assert told["message"].startswith(f'conflict: unable to remove repository reference "{name}" (must force)')
    assert ask(practice_host, "DELETE", f"/images/{name}?force=1")[0] == 200
    assert ask(practice_host, "GET", f"/containers/{container}/changes")[0] == 200  # its layers are still there


# -- build ---------------------------------------------------------------------------------------------------


def build(host: str, dockerfile: str, files: dict[str, bytes] | None = None, **query: str) -> list[dict[str, Any]]:
    context = tar_of(("Dockerfile", dockerfile.encode()), *(files or {}).items())
    status, told = raw(host, "POST", f"/build?{urlencode(query)}", context)
    assert status == 200, told
    return lines(told)


def said(told: list[dict[str, Any]]) -> str:
    return "".join(line.get("stream", "") for line in told)


EVERYTHING = """
        # escape=\\
        ARG BASE=busybox
        FROM ${BASE} AS first
        ARG WHO=world
        ENV GREETING="hello  there" OTHER=${WHO:-nobody}
        WORKDIR /app/deep
        COPY data*.txt sub ./
        RUN echo "$GREETING $WHO" \\
            # a comment in between
            >said
        FROM first
        COPY --from=first /app/deep/said /copied
        ADD more.tar /unpacked/
        LABEL a=b "c d"="e f"
        USER 33
        CMD cat /copied
""".replace("\n        ", "\n").lstrip()


def test_a_build_with_everything(practice_host: str, name: str, labels: dict[str, str]) -> None:
    files = {
        "data1.txt": b"1",
        "data2.txt": b"2",
        "sub/x": b"x",
        "left.log": b"-",
        ".dockerignore": b"*.log\n",
        "more.tar": tar_of(("inner", b"content")),
    }
    told = build(practice_host, EVERYTHING, files, t=f"{name}:1", buildargs=json.dumps({"WHO": "you"}))
    assert "error" not in told[-1], told[-1]
    assert said(told).endswith(f"Successfully tagged {name}:1\n")
    config = ask(practice_host, "GET", f"/images/{name}:1/json")[1]["Config"]
    assert {"GREETING=hello  there", "OTHER=you"} <= set(config["Env"])
    assert (config["Labels"], config["User"], config["WorkingDir"]) == ({"a": "b", "c d": "e f"}, "33", "/app/deep")
    script = "cat /copied; ls /app/deep; cat /unpacked/inner"
    container = run(practice_host, f"{name}:1", ["sh", "-c", script], labels)
    assert output(practice_host, container) == "hello  there you\ndata1.txt\ndata2.txt\nsaid\nx\ncontent"
    again = build(practice_host, EVERYTHING, files, t=f"{name}:1", buildargs=json.dumps({"WHO": "you"}))
    assert said(again).count("Using cache") == 10
    files["data1.txt"] = b"changed"
    changed = build(practice_host, EVERYTHING, files, buildargs=json.dumps({"WHO": "you"}))
    assert said(changed).count("Using cache") == 3


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("FROM busybox\nRUN exit 3\n", "The command '/bin/sh -c exit 3' returned a non-zero code: 3"),
        ("FROM busybox\nCOPY nosuch /\n", "COPY failed: file not found in build context or excluded by .dockerignore"),
        ("FROM busybox\nCOPY ../../../etc/passwd /\n", "COPY failed: forbidden path outside the build context"),
        ("FROM busybox\nCOPY --from=9 /a /\n", "invalid from flag value 9"),
        ("FROM nosuch.example/image\n", "pull access denied for nosuch.example/image"),
        ('FROM busybox\nENV X="${Y:?is needed}"\n', "Y: is needed"),
    ],
)
def test_steps_that_fail(practice_host: str, dockerfile: str, words: str) -> None:
    before = len(ask(practice_host, "GET", "/containers/json?all=1")[1])
    told = build(practice_host, dockerfile, forcerm="1")
    assert words in told[-1]["error"]
    assert len(ask(practice_host, "GET", "/containers/json?all=1")[1]) <= before + 1  # others work beside


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("", "the Dockerfile (Dockerfile) cannot be empty"),
        ("FROM busybox\nRUM x\n", "dockerfile parse error on line 2: unknown instruction: RUM (did you mean RUN?)"),
        ("RUN x\n", "dockerfile parse error on line 1: no build stage in current context"),
        ("FROM busybox\nCOPY a\n", "COPY requires at least two arguments"),
        ("FROM busybox\nRUN --mount=type=cache x\n", "the --mount option requires BuildKit"),
        ("FROM busybox\nRUN <<EOF\nx\nEOF\n", "here-documents require BuildKit"),
        ("FROM busybox AS 1x\n", 'invalid name for build stage: "1x"'),
        ("FROM busybox extra\n", "FROM requires either one or three arguments"),
    ],
)
def test_dockerfiles_that_are_none(practice_host: str, dockerfile: str, words: str) -> None:
    status, told = raw(practice_host, "POST", "/build", tar_of(("Dockerfile", dockerfile.encode())))
    assert status == 400
    assert words in json.loads(told)["message"]


def test_a_link_in_the_context_cannot_lead_out(practice_host: str) -> None:
    way = tarfile.TarInfo("way")
    way.type, way.linkname = tarfile.SYMTYPE, "/etc"
    context = tar_of(("Dockerfile", b"FROM busybox\nCOPY way/passwd /stolen\n"), way)
    told = lines(raw(practice_host, "POST", "/build", context)[1])
    assert "file not found in build context" in told[-1]["error"]


# -- registries ----------------------------------------------------------------------------------------------


def header(user: str = USER, password: str = PASSWORD) -> str:
    return base64.urlsafe_b64encode(json.dumps({"username": user, "password": password}).encode()).decode()


@pytest.mark.parametrize("auth", ["none", "basic", "token"])
def test_push_and_pull(practice_host: str, name: str, auth: str) -> None:
    with small_registry(auth) as registry:
        there = f"{registry.name}/team/{name}"
        assert ask(practice_host, "POST", f"/images/busybox/tag?repo={there}&tag=1")[0] == 201
        path = f"/images/{quote(there, safe='')}/push?tag=1"
        pushed = lines(raw(practice_host, "POST", path, X_Registry_Auth=header())[1])
        assert pushed[0] == {"status": f"The push refers to repository [{there}]"}
        assert "error" not in pushed[-1], pushed[-1]
        digest = pushed[-1]["aux"]["Digest"]
        assert digest == f"sha256:{hashlib.sha256(registry.manifests[f'team/{name}', '1'][1]).hexdigest()}"
        assert ask(practice_host, "DELETE", f"/images/{quote(there, safe='')}:1?force=1")[0] == 200
        path = f"/images/create?{urlencode({'fromImage': there, 'tag': '1'})}"
        pulled = lines(raw(practice_host, "POST", path, X_Registry_Auth=header())[1])
        assert pulled[-2:] == [
            {"status": f"Digest: {digest}"},
            {"status": f"Status: Downloaded newer image for {there}:1"},
        ]
        image = ask(practice_host, "GET", f"/images/{quote(there, safe='')}:1/json")[1]
        assert image["Id"] == ask(practice_host, "GET", "/images/busybox/json")[1]["Id"]
        assert f"{there}@{digest}" in image["RepoDigests"]
        status, told = raw(practice_host, "GET", f"/distribution/{there}:1/json", X_Registry_Auth=header())
        assert status == 200
        assert json.loads(told)["Descriptor"]["digest"] == digest


def test_who_is_not_known_is_refused(practice_host: str, name: str) -> None:
    with small_registry("token") as registry:
        there = f"{registry.name}/team/{name}"
        path = f"/images/create?{urlencode({'fromImage': there, 'tag': '1'})}"
        status, told = raw(practice_host, "POST", path, X_Registry_Auth=header(password="wrong"))
        assert status == 401
        assert "unauthorized" in json.loads(told)["message"]
        assert "wrong" not in told.decode()
        body = {"username": USER, "password": "wrong", "serveraddress": registry.name}
        assert ask(practice_host, "POST", "/auth", body)[0] == 401
        body["password"] = PASSWORD
        assert ask(practice_host, "POST", "/auth", body) == (200, {"Status": "Login Succeeded", "IdentityToken": ""})


def test_a_registry_that_wants_a_password(practice_host: str, name: str) -> None:
    """In the words of Docker 28.5."""
    with small_registry("basic") as registry:
        there, base = f"{registry.name}/{name}", f"http://{registry.name}/v2/"
        path = f"/images/create?{urlencode({'fromImage': there, 'tag': '1'})}"
        status, told = raw(practice_host, "POST", path, X_Registry_Auth=header(password="wrong"))
        assert (status, json.loads(told)["message"]) == (401, "unauthorized: authentication required")
        status, answer = ask(practice_host, "POST", path)
        assert (status, answer["message"]) == (500, f'Head "{base}{name}/manifests/1": no basic auth credentials')
        status, answer = ask(practice_host, "POST", f"/images/create?{urlencode({'fromImage': there})}")
        assert (status, answer["message"]) == (500, f'Get "{base}{name}/tags/list": no basic auth credentials')
        ask(practice_host, "POST", f"/images/busybox/tag?repo={there}&tag=1")
        for credentials, words in (("e30=", "no basic auth credentials"), (header(password="wrong"), "unauthorized: ")):
            pushed = raw(practice_host, "POST", f"/images/{quote(there, safe='')}/push", X_Registry_Auth=credentials)
            assert lines(pushed[1])[-1]["error"].startswith(words)
        body = {"username": USER, "password": "wrong", "serveraddress": registry.name}
        status, answer = ask(practice_host, "POST", "/auth", body)
        assert (status, answer["message"]) == (500, f"login attempt to {base} failed with status: 401 Unauthorized")
        assert not registry.manifests


def test_a_push_of_a_tag_that_is_not_there(practice_host: str, name: str) -> None:
    there = f"127.0.0.1:1/{name}"
    path = f"/images/{quote(there, safe='')}/push?tag=2"
    told = lines(raw(practice_host, "POST", path, X_Registry_Auth="e30=")[1])
    assert told[-1]["error"] == f"An image does not exist locally with the tag: {there}"
    ask(practice_host, "POST", f"/images/busybox/tag?repo={there}&tag=1")
    told = lines(raw(practice_host, "POST", path, X_Registry_Auth="e30=")[1])
    assert told[-1]["error"] == f"tag does not exist: {there}:2"
    assert ask(practice_host, "DELETE", f"/images/{quote(there, safe='')}:1")[0] == 200


def test_what_the_registry_has_not(practice_host: str, name: str) -> None:
    with small_registry() as registry:
        there = f"{registry.name}/{name}"
        status, told = ask(practice_host, "POST", f"/images/create?{urlencode({'fromImage': there, 'tag': '1'})}")
    assert status == 404
    assert told["message"] == f"manifest for {there}:1 not found: manifest unknown: manifest unknown"


def test_a_registry_that_is_not_there(practice_host: str) -> None:
    query = urlencode({"fromImage": "127.0.0.1:1/x", "tag": "1"})
    status, told = ask(practice_host, "POST", f"/images/create?{query}")
    assert status == 500
    assert "127.0.0.1:1" in told["message"]


def test_a_blob_that_is_not_what_its_name_says(practice_host: str, name: str) -> None:
    with small_registry() as registry:
        there = f"{registry.name}/{name}"
        ask(practice_host, "POST", f"/images/busybox/tag?repo={there}&tag=1")
        raw(practice_host, "POST", f"/images/{quote(there, safe='')}/push?tag=1", X_Registry_Auth="e30=")
        config = json.loads(registry.manifests[name, "1"][1])["config"]["digest"]
        registry.blobs[config] += b" "
        told = lines(raw(practice_host, "POST", f"/images/create?{urlencode({'fromImage': there, 'tag': '1'})}")[1])
    assert told[-1]["error"] == f"filesystem layer verification failed for digest {config}"
