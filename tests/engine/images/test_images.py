"""Images: tags and removal, commit, import, save and load, and what goes wrong with each."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from archives import tar_of
from plain_http import ask, container_output, json_lines, send_raw


def test_a_tag_and_its_removal(practice_host: str, image_name: str) -> None:
    before = ask(practice_host, "GET", "/images/busybox/json")[1]
    assert ask(practice_host, "POST", f"/images/busybox/tag?repo={image_name}&tag=1")[0] == 201
    assert f"{image_name}:1" in ask(practice_host, "GET", f"/images/{before['Id']}/json")[1]["RepoTags"]
    assert ask(practice_host, "DELETE", f"/images/{image_name}:1") == (200, [{"Untagged": f"{image_name}:1"}])
    assert ask(practice_host, "GET", f"/images/{image_name}:1/json")[0] == 404
    assert ask(practice_host, "GET", "/images/busybox/json")[0] == 200


def test_a_committed_container_is_an_image(practice_host: str, image_name: str, run: Any) -> None:
    container = run("busybox", ["sh", "-c", "echo data >/data; rm /etc/group"])
    query = urlencode(
        {
            "container": container,
            "repo": image_name,
            "comment": "words",
            "author": "me",
            "changes": ['CMD ["cat", "/data"]', "ENV K=V", "EXPOSE 80"],
        },
        doseq=True,
    )
    status, response = ask(practice_host, "POST", f"/commit?{query}", {})
    assert status == 201
    image = ask(practice_host, "GET", f"/images/{image_name}/json")[1]
    assert (image["Id"], image["Comment"], image["Author"]) == (response["Id"], "words", "me")
    assert image["Config"]["ExposedPorts"] == {"80/tcp": {}}
    assert "K=V" in image["Config"]["Env"]
    assert len(image["RootFS"]["Layers"]) == 2
    assert container_output(practice_host, run(image_name, [])) == "data\n"
    container = run(image_name, ["sh", "-c", "test -e /etc/group || echo gone"])
    assert container_output(practice_host, container) == "gone\n"


def test_save_and_load_keep_the_bytes(practice_host: str, image_name: str, run: Any) -> None:
    container = run("busybox", ["sh", "-c", "echo kept >/file"])
    ask(practice_host, "POST", f"/commit?container={container}&repo={image_name}&tag=1", {})
    identity = ask(practice_host, "GET", f"/images/{image_name}:1/json")[1]["Id"]
    status, saved, _ = send_raw(practice_host, "GET", f"/images/{image_name}:1/get")
    assert status == 200
    ask(practice_host, "DELETE", f"/containers/{container}?force=1")
    assert {"Deleted": identity} in ask(practice_host, "DELETE", f"/images/{image_name}:1")[1]
    assert ask(practice_host, "GET", f"/images/{identity}/json")[0] == 404
    status, data, _ = send_raw(practice_host, "POST", "/images/load", saved)
    assert json_lines(data) == [{"stream": f"Loaded image: {image_name}:1\n"}]
    assert ask(practice_host, "GET", f"/images/{image_name}:1/json")[1]["Id"] == identity
    assert container_output(practice_host, run(f"{image_name}:1", ["cat", "/file"])) == "kept\n"


def test_a_layer_with_a_wrong_digest_is_not_loaded(practice_host: str) -> None:
    layer = tar_of(("a", b"content"))
    config = json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["evil:1"], "Layers": ["l.tar"]}]).encode()
    archive = tar_of(("c.json", config), ("l.tar", layer), ("manifest.json", manifest))
    [line] = json_lines(send_raw(practice_host, "POST", "/images/load", archive)[1])
    assert line["error"].startswith("invalid diffID for layer 0")
    assert ask(practice_host, "GET", "/images/evil:1/json")[0] == 404


@pytest.mark.parametrize("archive", [b"nonsense", b"\x1f\x8brubbish", tar_of(("a", b"x"))], ids=["text", "gzip", "tar"])
def test_malformed_archives_are_not_loaded(practice_host: str, archive: bytes) -> None:
    status, data, _ = send_raw(practice_host, "POST", "/images/load", archive)
    assert status == 200
    assert "error" in json_lines(data)[-1]


def test_an_import_is_one_layer(practice_host: str, image_name: str, labels: dict[str, str]) -> None:
    query = urlencode({"fromSrc": "-", "repo": image_name, "tag": "flat", "changes": 'CMD ["x"]', "message": "mine"})
    status, data, _ = send_raw(practice_host, "POST", f"/images/create?{query}", tar_of(("etc/file", b"content")))
    assert status == 200
    image = ask(practice_host, "GET", f"/images/{image_name}:flat/json")[1]
    assert json_lines(data)[-1] == {"status": image["Id"]}
    assert (image["Comment"], image["Config"]["Cmd"], len(image["RootFS"]["Layers"])) == ("mine", ["x"], 1)
    body = {"Image": f"{image_name}:flat", "Labels": labels}
    container = ask(practice_host, "POST", "/containers/create", body)[1]["Id"]
    _, data, _ = send_raw(practice_host, "GET", f"/containers/{container}/archive?path=/etc/file")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert [member.name for member in tar] == ["file"]


def test_an_image_in_use_is_not_removed(practice_host: str, image_name: str, labels: dict[str, str]) -> None:
    query = urlencode({"fromSrc": "-", "repo": image_name, "changes": 'CMD ["x"]'})
    send_raw(practice_host, "POST", f"/images/create?{query}", tar_of(("f", b"x")))
    container = ask(practice_host, "POST", "/containers/create", {"Image": image_name, "Labels": labels})[1]["Id"]
    status, response = ask(practice_host, "DELETE", f"/images/{image_name}")
    assert status == 409
    assert response["message"].startswith(
        f'conflict: unable to remove repository reference "{image_name}" (must force)'
    )
    assert ask(practice_host, "DELETE", f"/images/{image_name}?force=1")[0] == 200
    assert ask(practice_host, "GET", f"/containers/{container}/changes")[0] == 200  # its layers still exist


def test_a_sparse_file_is_committed_if_a_layer_could_be_that_large(
    practice_host: str, run: Any, image_name: str
) -> None:
    """Docker writes all zeros to the disk, and fails at the end if they don't fit."""
    space = os.statvfs(ask(practice_host, "GET", "/info")[1]["DockerRootDir"])
    container = run("busybox", ["truncate", "-s", str(1 << 28), "/fits"])
    before = used_bytes(practice_host)
    assert ask(practice_host, "POST", f"/commit?container={container}&repo={image_name}", {})[0] == 201
    assert used_bytes(practice_host) - before < 1 << 20
    assert ask(practice_host, "GET", f"/images/{image_name}/json")[1]["Size"] > 1 << 28
    container = run("busybox", ["truncate", "-s", str(space.f_blocks * space.f_frsize * 2), "/does-not-fit"])
    status, response = ask(practice_host, "POST", f"/commit?container={container}&repo={image_name}:2", {})
    assert (status, response) == (500, {"message": "no space left on device"})


def used_bytes(host: str) -> int:
    """Return the bytes that the layers of an engine take up on the disk."""
    layers = Path(ask(host, "GET", "/info")[1]["DockerRootDir"]) / "images" / "layers"
    return sum(path.stat().st_blocks * 512 for path in layers.iterdir())
