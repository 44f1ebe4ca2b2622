"""A record on disk that can't be read is skipped, kept, and named by doctor; everything else goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from archives import tar_of
from in_process_engine import InProcessEngine
from judge import Judge

from dockerlab.engine.images import bad_records

LISTS = ("/containers/json?all=1&size=1", "/images/json?all=1", "/volumes", "/networks", "/system/df")
DIGEST = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the state directory of an engine that has one object of each kind, and that is not running."""
    path = tmp_path_factory.mktemp("bad-records") / "state"
    engine = InProcessEngine(path)
    try:
        body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Binds": ["data:/data"]}}
        assert engine.json("POST", "/containers/create?name=one", body)[0] == 201
        assert engine.json("POST", "/networks/create", {"Name": "net"})[0] == 201
        assert engine.request("POST", "/images/create?fromSrc=-&repo=other&tag=1", tar_of(("a", b"a")))[0] == 200
    finally:
        engine.close()
    return path


@pytest.fixture
def change(state: Path) -> Iterator[Callable[[str, Any], Path]]:
    """Give a function that changes a record; it is restored afterwards."""
    originals: dict[Path, bytes] = {}

    def change_record(pattern: str, new: Any) -> Path:
        path = max(state.glob(pattern), key=lambda each: each.stat().st_mtime_ns)
        originals[path] = path.read_bytes()
        modified = path.stat().st_mtime_ns
        document = new(json.loads(originals[path])) if callable(new) else new
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        os.utime(path, ns=(modified, modified))
        return path

    yield change_record
    for path, content in originals.items():
        modified = path.stat().st_mtime_ns
        path.write_bytes(content)
        os.utime(path, ns=(modified, modified))


CASES = [
    ("containers/*/container.json", b'{"Id": "half', "it is not JSON"),
    ("containers/*/container.json", [], "not a JSON object"),
    ("containers/*/container.json", b"[" * 100_000, "nested too deeply"),
    ("containers/*/container.json", lambda it: {**it, "Id": "0" * 64}, "id is not the name"),
    ("containers/*/container.json", lambda it: {**it, "Name": "../x"}, "its name"),
    ("containers/*/container.json", lambda it: {**it, "Layers": ["sha256:../x"]}, "not a digest"),
    ("containers/*/container.json", lambda it: {**it, "Config": {"Labels": {"a": 1}}}, "cannot unmarshal"),
    ("containers/*/container.json", lambda it: {**it, "Created": "yesterday"}, "not a time"),
    ("containers/*/container.json", lambda it: {**it, "State": {}}, "the state has no"),
    ("containers/*/container.json", lambda it: {**it, "State": {**it["State"], "Pid": 10**40}}, "has no 'Pid'"),
    ("containers/*/container.json", lambda it: {**it, "MountPoints": [5]}, "a mount point has no"),
    (
        "containers/*/container.json",
        lambda it: {**it, "MountPoints": [{**it["MountPoints"][0], "Driver": 5}]},
        "a mount point has no 'Driver'",
    ),
    ("images/*.json", b"", "it is not JSON"),
    ("images/*.json", lambda it: {**it, "id": DIGEST}, "id is not the name"),
    ("images/*.json", lambda it: {**it, "tags": ["A B"]}, "not the name of an image"),
    ("images/*.json", lambda it: {**it, "sizes": []}, "sizes of its layers"),
    ("images/*.config", lambda it: {**it, "config": 1}, "cannot unmarshal"),
    ("images/*.config", lambda it: {**it, "rootfs": {"diff_ids": ["sha256:../x"]}}, "not a digest"),
    ("networks/*.json", lambda it: {**it, "Id": "../x"}, "id is not the name"),
    ("images/*.json", lambda it: {**it, "sizes": [10**40]}, "sizes of its layers"),
    ("networks/*.json", lambda it: {**it, "Created": 5}, "'Created' is missing"),
    ("networks/*.json", lambda it: {**it, "IPAM": {"Config": [{"Subnet": "x"}]}}, "does not appear"),
    ("volumes/*/volume.json", lambda it: {**it, "Name": "other"}, "name is not the name"),
    ("volumes/*/volume.json", lambda it: {**it, "Labels": []}, "cannot unmarshal"),
]


@pytest.mark.parametrize(("pattern", "new", "reason"), CASES, ids=[f"{case[0]}: {case[2]}" for case in CASES])
def test_a_bad_record_is_skipped_and_kept(
    state: Path, change: Callable[[str, Any], Path], pattern: str, new: Any, reason: str
) -> None:
    path = change(pattern, new)
    content = path.read_bytes()
    engine = InProcessEngine(state)
    try:
        for target in LISTS:
            assert engine.json("GET", target)[0] == 200
        for kind in ("containers", "networks", "volumes", "images"):
            assert engine.json("POST", f"/{kind}/prune?filters=%7B%22label%22%3A%5B%22none%22%5D%7D")[0] == 200
    finally:
        engine.close()
    assert path.read_bytes() == content
    [bad_record] = bad_records.find(state)
    assert str(path.with_suffix("")).startswith(bad_record["path"].removesuffix(".json"))
    assert reason in bad_record["reason"]


@pytest.mark.parametrize(
    "pattern", ["containers/*/container.json", "images/*.json", "networks/*.json", "volumes/*/volume.json"]
)
@pytest.mark.parametrize("value", [None, 5, "x", True, [None], {"a": None}], ids=repr)
def test_lists_have_values_of_the_right_types(
    state: Path, change: Callable[[str, Any], Path], pattern: str, value: Any
) -> None:
    judge, path = Judge(), change(pattern, lambda it: it)
    original = json.loads(path.read_bytes())
    for name in original:
        path.write_text(json.dumps({**original, name: value}))
        engine = InProcessEngine(state)
        try:
            targets = [*LISTS]
            for target in targets:
                status, data = engine.request("GET", target)
                judge.check("GET", target, "1.51", status, data)
                assert status == 200, data
                if target == "/networks":
                    targets += [f"/networks/{network['Id']}" for network in json.loads(data)]
                elif target.startswith("/images/json"):
                    targets += [f"/images/{image['Id']}/history" for image in json.loads(data)]
                elif target.startswith("/containers/json"):
                    targets += [f"/containers/{container['Id']}/json" for container in json.loads(data)]
        finally:
            engine.close()
        assert not judge.problems, (name, judge.problems)


def test_a_field_that_no_client_chooses_is_never_read(state: Path, change: Callable[[str, Any], Path]) -> None:
    change("networks/*.json", lambda it: {**it, "Ingress": 5, "Scope": "swarm", "Internal": None, "X": 1})
    change("volumes/*/volume.json", lambda it: {**it, "Scope": 5, "X": 1})
    engine = InProcessEngine(state)
    try:
        network = engine.json("GET", "/networks/net")[1]
        assert (network["Ingress"], network["Scope"], network["Internal"]) == (False, "local", False)
        volume = engine.json("GET", "/volumes/data")[1]
        assert list(volume) == ["CreatedAt", "Driver", "Labels", "Mountpoint", "Name", "Options", "Scope"]
        assert volume["Scope"] == "local"
        assert list(network) == list(engine.json("GET", "/networks/bridge")[1])
    finally:
        engine.close()


def test_settings_of_a_container_have_the_form_that_inspect_shows(
    state: Path, change: Callable[[str, Any], Path]
) -> None:
    def written_otherwise(document: dict[str, Any]) -> dict[str, Any]:
        del document["Layers"]
        host = {**document["HostConfig"], "CapAdd": "KILL", "ConsoleSize": [7]}
        return {**document, "Config": {**document["Config"], "Cmd": "true"}, "HostConfig": host}

    change("containers/*/container.json", written_otherwise)
    engine = InProcessEngine(state)
    try:
        details = engine.json("GET", "/containers/one/json")[1]
    finally:
        engine.close()
    assert details["Config"]["Cmd"] == ["true"]
    assert (details["HostConfig"]["CapAdd"], details["HostConfig"]["ConsoleSize"]) == (["KILL"], [7, 0])


def test_nothing_of_a_skipped_image_is_lost(state: Path, change: Callable[[str, Any], Path]) -> None:
    layers = {path.name for path in (state / "images/layers").iterdir()}
    change("images/*.json", b"{")
    change("containers/*/container.json", b"{")
    InProcessEngine(state).close()
    assert {path.name for path in (state / "images/layers").iterdir()} >= layers


@pytest.mark.parametrize(
    "content",
    [
        {"exit.json": []},
        {"exit.json": {"code": "x", "finished": "x"}},
        {"exit.json": {"code": 0, "finished": "yesterday"}},
        {"pid.json": {}},
        {"pid.json": {"pid": "1", "ticks": [], "shim": None, "shim_ticks": 0, "started": "now", "isolated": 1}},
    ],
    ids=str,
)
def test_a_container_with_bad_files_about_its_process(
    state: Path, change: Callable[[str, Any], Path], content: dict[str, Any]
) -> None:
    directory = change("containers/*/container.json", _as_running).parent
    for name, document in content.items():
        (directory / name).write_text(json.dumps(document))
    engine = InProcessEngine(state)
    try:
        [container] = engine.json("GET", "/containers/json?all=1")[1]
        assert container["State"] == "exited"
    finally:
        engine.close()
    for path in directory.glob("*.bad"):
        path.unlink()


def _as_running(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "State": {**document["State"], "Running": True, "Status": "running"}}


def test_a_volume_whose_record_points_elsewhere(state: Path, change: Callable[[str, Any], Path]) -> None:
    change("volumes/*/volume.json", lambda it: {**it, "Mountpoint": "/etc"})
    engine = InProcessEngine(state)
    try:
        assert engine.json("GET", "/volumes/data")[1]["Mountpoint"] == str(state / "volumes/data/_data")
        change("containers/*/container.json", _with_source)
    finally:
        engine.close()
    engine = InProcessEngine(state)
    try:
        [mount] = engine.json("GET", "/containers/one/json")[1]["Mounts"]
        assert mount["Source"] == str(state / "volumes/data/_data")
    finally:
        engine.close()


def _with_source(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "MountPoints": [{**point, "Source": "/etc"} for point in document["MountPoints"]]}


def test_a_volume_without_a_readable_record_is_not_created_anew(
    state: Path, change: Callable[[str, Any], Path]
) -> None:
    change("volumes/*/volume.json", b"{")
    engine = InProcessEngine(state)
    try:
        status, answer = engine.json("POST", "/volumes/create", {"Name": "data"})
        assert (status, "dockerlab doctor" in answer["message"]) == (409, True)
    finally:
        engine.close()
