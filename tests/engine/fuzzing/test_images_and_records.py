"""Images, registries and records on disk that Hypothesis invents. `test_requests` says what must hold."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from archives import tar_of
from doors import EXAMPLES, FUZZING, Doors
from go_values import ANYTHING, document
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import serving_in_thread
from registries import SameResponse

LAYER = tar_of(("fuzzed", b"content"))
DIFF_ID = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"

# -- images ----------------------------------------------------------------------------------------------------

ROOTFS = st.sampled_from(({"type": "layers", "diff_ids": [DIFF_ID]},) * 6 + ({}, None, {"diff_ids": ["sha256:../x"]}))
CONFIGS = document("image.Image", rootfs=ROOTFS).map(
    lambda value: {"rootfs": {"type": "layers", "diff_ids": [DIFF_ID]}, **value} if isinstance(value, dict) else value
)
ENTRY: dict[str, Any] = {"Config": "c.json", "RepoTags": ["fuzzed:1"], "Layers": ["l.tar"]}
MANIFESTS = st.one_of(
    document("[]tarexport.manifestItem"),
    document("tarexport.manifestItem").map(lambda value: [{**ENTRY, **value}] if isinstance(value, dict) else [value]),
)


def archive(config: bytes, manifest: bytes) -> bytes:
    return tar_of(("c.json", config), ("l.tar", LAYER), ("manifest.json", manifest))


def use_image(doors: Doors) -> None:
    """Look at every loaded image in every way, make a container of it, and remove both."""
    for image in doors.engine.json("GET", "/images/json?all=1")[1]:
        if "busybox:latest" in image["RepoTags"]:
            continue
        for target in ("json", "history"):
            assert doors.send("GET", f"/images/{image['Id']}/{target}")[0] == 200
        status, answer = doors.send_json("POST", "/containers/create", {"Image": image["Id"], "Cmd": ["true"]})
        if status == 201:
            doors.send("POST", f"/containers/{answer['Id']}/start")
            assert doors.send("GET", f"/containers/{answer['Id']}/json")[0] == 200
            doors.send("DELETE", f"/containers/{answer['Id']}?force=1&v=1")
    doors.remove_images()


@FUZZING
@given(config=CONFIGS)
def test_configurations_of_loaded_images(doors: Doors, config: Any) -> None:
    doors.send("POST", "/images/load", archive(json.dumps(config).encode(), json.dumps([ENTRY]).encode()))
    use_image(doors)


@FUZZING
@given(manifest=MANIFESTS)
def test_manifests_of_archives(doors: Doors, manifest: Any) -> None:
    config = {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]}}
    doors.send("POST", "/images/load", archive(json.dumps(config).encode(), json.dumps(manifest).encode()))
    use_image(doors)


@FUZZING
@given(index=document("v1.Index"), manifest=document("v1.Manifest"))
def test_indexes_of_archives(doors: Doors, index: Any, manifest: Any) -> None:
    content = json.dumps(manifest).encode()
    digest = hashlib.sha256(content).hexdigest()
    if isinstance(index, dict):
        entries = index.get("manifests") if isinstance(index.get("manifests"), list) else []
        index = {**index, "manifests": [{"digest": f"sha256:{digest}"}, *entries]}
    doors.send(
        "POST", "/images/load", tar_of(("index.json", json.dumps(index).encode()), (f"blobs/sha256/{digest}", content))
    )
    use_image(doors)


@FUZZING
@given(
    changes=st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.integers(0, 12000),
    door=st.sampled_from(("load", "import", "put", "build")),
)
def test_broken_tars(doors: Doors, changes: list[tuple[int, bytes]], cut: int, door: str) -> None:
    config = {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]}}
    data = bytearray(archive(json.dumps(config).encode(), json.dumps([ENTRY]).encode()) if door == "load" else LAYER)
    for place, new in changes:
        data[place : place + len(new)] = new
    target = {
        "load": "/images/load",
        "import": "/images/create?fromSrc=-&repo=fuzzed",
        "put": "/containers/base/archive?path=/tmp",
        "build": "/build",
    }[door]
    doors.send("PUT" if door == "put" else "POST", target, bytes(data[:cut]))
    use_image(doors)


# -- registries ------------------------------------------------------------------------------------------------

REGISTRY_MANIFESTS = st.one_of(document("v1.Manifest"), document("v1.Index"), ANYTHING)
MEDIA_TYPES = st.sampled_from(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "text/html",
        "",
    )
)
HEADERS = st.dictionaries(
    st.sampled_from(("Location", "WWW-Authenticate", "Docker-Content-Digest", "Content-Encoding")),
    st.sampled_from(
        (
            "",
            "file:///etc/passwd",
            "http://[",
            "//",
            "/v2/",
            "Basic",
            'Bearer realm="file:///etc/passwd"',
            "Bearer",
            "gzip",
            'Bearer realm="http://127.0.0.1:1/"',
            'Basic realm="x"',
            "http://127.0.0.1:99999/",
            "sha256:x",
        )
    ),
    max_size=2,
)


@pytest.fixture(scope="module")
def registry() -> Iterator[SameResponse]:
    with serving_in_thread(SameResponse()) as server:
        yield server


@FUZZING
@given(
    content=REGISTRY_MANIFESTS.map(json.dumps) | st.text(max_size=10),
    media_type=MEDIA_TYPES,
    status=st.sampled_from((200, 200, 200, 200, 401, 302, 404, 500)),
    headers=HEADERS,
    operation=st.sampled_from(("pull", "tags", "push", "distribution", "auth")),
)
def test_responses_of_registries(  # noqa: PLR0913, PLR0917  (each is drawn by itself)
    doors: Doors,
    registry: SameResponse,
    content: str,
    media_type: str,
    status: int,
    headers: dict[str, str],
    operation: str,
) -> None:
    name = registry.name
    registry.status, registry.content = status, content.encode("utf-8", "replace")
    registry.headers = {"Content-Type": media_type, **headers}
    if operation == "auth":
        doors.send_json("POST", "/auth", {"username": "a", "password": "b", "serveraddress": name})
    elif operation == "distribution":
        doors.send("GET", f"/distribution/{name}/x:1/json")
    elif operation == "push":
        doors.engine.json("POST", f"/images/busybox/tag?repo={name}/x&tag=1")
        doors.send("POST", f"/images/{name}/x/push?tag=1")
        doors.engine.json("DELETE", f"/images/{name}/x:1")
    else:
        tag = "&tag=1" if operation == "pull" else ""
        doors.send("POST", f"/images/create?fromImage={name}/x{tag}")
    doors.remove_images()


# -- records on disk -------------------------------------------------------------------------------------------


RECORDS = ("containers/*/container.json", "images/*.json", "images/*.config", "networks/*.json", "volumes/*/*.json")


def _replace(value: Any, path: list[int], new: Any) -> Any:
    """Return a copy of a document in which the value at a random place is another one."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    keys = sorted(value) if isinstance(value, dict) else range(len(value))
    key = keys[path[0] % len(keys)]
    changed = copy.copy(value)
    changed[key] = _replace(value[key], path[1:], new)
    return changed


@settings(FUZZING, max_examples=max(10, EXAMPLES // 2))
@given(
    number=st.integers(0, 100),
    path=st.lists(st.integers(0, 60), min_size=1, max_size=3),
    new=ANYTHING,
    cut=st.none() | st.integers(0, 400),
)
def test_records_on_disk(doors: Doors, number: int, path: list[int], new: Any, cut: int | None) -> None:
    records = sorted(file for pattern in RECORDS for file in doors.state.glob(pattern))
    originals = {file: file.read_bytes() for file in records}
    record = records[number % len(records)]
    doors.engine.close()
    try:
        record.write_bytes(json.dumps(_replace(json.loads(originals[record]), path, new)).encode()[:cut])
        doors.start()
        doors.check_lists()
        for kind in ("containers", "networks", "volumes", "images"):
            filters = quote(json.dumps({"label": ["no-such-label"]}))
            assert doors.engine.json("POST", f"/{kind}/prune?filters={filters}")[0] == 200
        assert record.exists(), "a record is never removed because it can't be read"
    finally:
        doors.engine.close()
        for file, content in originals.items():
            file.write_bytes(content)
        doors.open()
