"""Loaded images: names, ids and links in an image archive lead to the host."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import Any

import pytest
from archives import Member, directory, link, tar_of
from attack_target import Target
from attacks import attack

HARD = tarfile.LNKTYPE
LAYER = tar_of(("file", b"content"), directory("etc"))
DIFF_ID = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"


def config(**changes: Any) -> dict[str, Any]:
    """Return the config of an image with one layer, with some changes."""
    root = {"type": "layers", "diff_ids": [DIFF_ID]}
    return {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]}, "rootfs": root, **changes}


def documents(target: Target, manifest: dict[str, Any], **changes: Any) -> list[Member]:
    """Return the members config.json and manifest.json of an image, with some changes of both."""
    entry = {"Config": "config.json", "RepoTags": [f"{target.label}:latest"], "Layers": ["layer.tar"], **manifest}
    return [("config.json", json.dumps(config(**changes)).encode()), ("manifest.json", json.dumps([entry]).encode())]


def load_and_use(target: Target, *members: Member) -> None:
    """Load an archive; if the engine accepts it, use the image in every way and remove it."""
    target.load(*members)
    for reference in (f"{target.label}:latest", f"{target.label}:second"):
        for what in ("json", "history", "get"):
            target.send("GET", f"/images/{reference}/{what}")
        if container := target.create("true", image=reference):
            target.start(container)
            target.read_everywhere(container, "/secret", "/inner", "/file", "/.")
            target.ask("DELETE", f"/containers/{container}?force=1")
        target.ask("DELETE", f"/images/{reference}?force=1")


@pytest.mark.parametrize("folder", ["directory", "empty"])
@attack()
def test_diff_id_is_a_path(target: Target, folder: str) -> None:
    """The digest of a layer is a path to a directory of the host: it would be copied, exported and removed."""
    for start in ("sha256:", "", "sha256/", "sha256:0123456789/"):
        root = {"type": "layers", "diff_ids": [f"{start}{'../' * 24}{target.canary}/{folder}"]}
        load_and_use(target, *documents(target, {}, rootfs=root), ("layer.tar", LAYER))
    load_and_use(target, *documents(target, {}, rootfs={"type": "layers", "diff_ids": [str(target.canary)]}))


@attack()
def test_diff_id_leads_through_another_image(target: Target) -> None:
    """The second image of an archive names a layer `../trees/ID/link`, and the first one has that link to the host."""
    layer = tar_of(link("link", f"{target.canary}/directory"))
    digest = hashlib.sha256(layer).hexdigest()
    first = config(rootfs={"type": "layers", "diff_ids": [f"sha256:{digest}"]})
    identity = hashlib.sha256(json.dumps(first).encode()).hexdigest()
    entries = [{"Config": "first.json", "RepoTags": [f"{target.label}:latest"], "Layers": ["layer.tar"]}]
    members: list[Member] = [("first.json", json.dumps(first).encode()), ("layer.tar", layer)]
    paths = [f"../{folder}/{name}/link" for folder in ("trees", "layers") for name in (digest, identity)]
    for number, path in enumerate([*paths, *(f"{path}/.." for path in paths), "../../..", ".", ".."]):
        root = {"type": "layers", "diff_ids": [f"sha256:{path}"]}
        members.append((f"second{number}.json", json.dumps(config(rootfs=root)).encode()))
        entries.append(
            {"Config": f"second{number}.json", "RepoTags": [f"{target.label}:second"], "Layers": ["layer.tar"]}
        )
    for entry in entries[1:]:
        manifest: Member = ("manifest.json", json.dumps([entries[0], entry]).encode())
        load_and_use(target, *members, manifest)


@attack()
def test_layer_is_a_link(target: Target) -> None:
    """The file of a layer is a symbolic or a hard link to a tar of the host."""
    digest = hashlib.sha256((target.canary.path / "layer.tar").read_bytes()).hexdigest()
    root = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    for kind in (tarfile.SYMTYPE, HARD):
        for to in (f"{target.canary}/layer.tar", f"{'../' * 24}{target.canary}/layer.tar"):
            load_and_use(target, *documents(target, {}, rootfs=root), link("layer.tar", to, kind))


@attack()
def test_layer_is_below_a_link(target: Target) -> None:
    """The archive has a link to a directory of the host, and the manifest names a layer below it."""
    digest = hashlib.sha256((target.canary.path / "layer.tar").read_bytes()).hexdigest()
    root = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    members = documents(target, {"Layers": ["link/layer.tar"]}, rootfs=root)
    load_and_use(target, link("link", str(target.canary)), *members)
    load_and_use(target, *members, link("link", f"{'../' * 24}{target.canary}"))


@attack()
def test_layer_has_a_path_of_the_host(target: Target) -> None:
    """The manifest names a tar of the host as a layer, by an absolute path or with `..`."""
    digest = hashlib.sha256((target.canary.path / "layer.tar").read_bytes()).hexdigest()
    root = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    for path in (f"{target.canary}/layer.tar", f"{'../' * 24}{target.canary}/layer.tar"):
        load_and_use(target, *documents(target, {"Layers": [path]}, rootfs=root))


@attack()
def test_config_has_a_path_of_the_host(target: Target) -> None:
    """The manifest names a file of the host as the image's config, and the archive has a link to it."""
    file = f"{target.canary}/config.json"
    for path in (file, f"{'../' * 24}{file}"):
        load_and_use(target, *documents(target, {"Config": path, "Layers": []}))
    for kind in (tarfile.SYMTYPE, HARD):
        load_and_use(target, link("config.json", file, kind), *documents(target, {"Layers": []})[1:])


@attack()
def test_members_of_an_archive_are_outside(target: Target) -> None:
    """Members of an image archive have paths to the host, and others go through a link."""
    members: list[Member] = [(f"{'../' * 24}{target.canary}/empty/new", b"x"), (f"{target.canary}/empty/new", b"x")]
    members += [link("link", str(target.canary)), ("link/empty/new", b"x"), ("link/victim", b"x")]
    load_and_use(target, *members, *documents(target, {}), ("layer.tar", LAYER))


@attack()
def test_manifest_is_a_link(target: Target) -> None:
    """The manifest, the index and the list of repositories are links to files of the host."""
    for name in ("manifest.json", "index.json", "repositories", "oci-layout"):
        response = target.load(link(name, f"{target.canary}/secret"), link("blobs", f"{target.canary}/directory"))
        assert response.status in (200, 400, 500)


@attack()
def test_digests_of_an_oci_layout_are_paths(target: Target) -> None:
    """The digests in an OCI layout lead to files of the host."""
    kinds = "application/vnd.oci.image"
    for path in (f"{'../' * 24}{target.canary}/secret", f"../..{target.canary}/secret", str(target.canary)):
        digest = f"sha256:{path}"
        entry = {"mediaType": f"{kinds}.manifest.v1+json", "digest": digest, "size": 31337,
                 "annotations": {"io.containerd.image.name": f"{target.label}:latest"}}  # fmt: skip
        index: Member = ("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())
        load_and_use(target, ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), index)
        manifest = {"schemaVersion": 2, "config": {"mediaType": f"{kinds}.config.v1+json", "digest": digest, "size": 9},
                    "layers": [{"mediaType": f"{kinds}.layer.v1.tar", "digest": digest, "size": 9}]}  # fmt: skip
        text = json.dumps(manifest).encode()
        name = hashlib.sha256(text).hexdigest()
        index = (
            "index.json",
            json.dumps({"schemaVersion": 2, "manifests": [{**entry, "digest": f"sha256:{name}"}]}).encode(),
        )
        load_and_use(target, ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), index, (f"blobs/sha256/{name}", text))


@attack()
def test_old_archive_with_ids_that_are_paths(target: Target) -> None:
    """An archive in the format before manifest.json has layer ids that lead to the host."""
    for identity in (f"{'../' * 24}{target.canary}/directory", str(target.canary), ".."):
        repositories = json.dumps({target.label: {"latest": identity}}).encode()
        layer = json.dumps({"id": identity, "parent": identity, "os": "linux", "architecture": "amd64"}).encode()
        members: list[Member] = [("repositories", repositories), (f"{identity}/json", layer)]
        load_and_use(target, *members, (f"{identity}/VERSION", b"1.0"), (f"{identity}/layer.tar", LAYER))


@attack()
def test_parents_and_ids_in_a_config_are_paths(target: Target) -> None:
    """A config has fields of other formats whose values are paths to the host."""
    path = f"{'../' * 24}{target.canary}/directory"
    fields = {"id": path, "parent": path, "container": path, "layer_id": path, "parent_id": path, "Parent": path}
    load_and_use(
        target, *documents(target, {"Parent": path, "LayerSources": {path: {}}}, **fields), ("layer.tar", LAYER)
    )


@attack()
def test_tags_are_paths(target: Target) -> None:
    """The tags of an archive's image are paths."""
    tags = [f"../../..{target.canary}/empty/new:latest", f"{target.canary}/empty/new:latest", "..:..", "a:../../x"]
    for tag in (*tags, "a\nb:latest", "", ":", "/", "a/../../b:latest", 7, None, {}):
        target.load(*documents(target, {"RepoTags": [tag]}), ("layer.tar", LAYER))


@attack()
def test_paths_in_the_configuration_of_an_image(target: Target) -> None:
    """An image's working directory, volumes, user and command are paths to the host."""
    path = f"/../../../../../../..{target.canary}/empty/new"
    settings = {"Cmd": [path], "WorkingDir": path, "Volumes": {path: {}, "/../../..": {}}, "User": "../../etc"}
    load_and_use(target, *documents(target, {}, config=settings), ("layer.tar", LAYER))


@pytest.mark.parametrize("kind", ["config", "created", "fields", "layers"])
@attack()
def test_values_of_wrong_types(target: Target, kind: str) -> None:
    """Values of an image's config have other types than they should: no list may fail because of them."""
    fields: dict[str, list[dict[str, Any]]] = {
        "config": [{"config": value} for value in (7, [], "text", None, True, [[]])],
        "created": [{"created": value} for value in ("no time", 7, [], {}, "0001-01-01", "9999-99-99T99:99:99Z", None)],
        "fields": [
            {"config": {name: value}}
            for name in ("Labels", "Env", "ExposedPorts", "Volumes", "Cmd", "Healthcheck", "OnBuild", "User")
            for value in (7, "text", ["a", 7], {"a": 7}, [{}], {"": None})
        ],
        "layers": [{"rootfs": value} for value in (7, [], "text", None, {}, {"diff_ids": 7}, {"diff_ids": [7, {}]})]
        + [{"history": value} for value in (7, "text", [7], {"a": 1}, [{"created": "x", "empty_layer": 7}])]
        + [{"os": 7}, {"architecture": []}, {"author": {}}, {"variant": 7}],
    }  # fmt: skip
    for changes in fields[kind]:
        target.load(*documents(target, {}, **changes), ("layer.tar", LAYER))
        if container := target.create("true", image=f"{target.label}:latest"):
            target.start(container)
            target.check()
            target.ask("DELETE", f"/containers/{container}?force=1")
        for path in ("/images/json", "/system/df", "/containers/json?all=1", f"/images/{target.label}:latest/json"):
            response = target.send("GET", path)
            if response.status >= 500:
                target.reached(f"with {changes}, GET {path} is answered by {response.status}")
        target.ask("DELETE", f"/images/{target.label}:latest?force=1")


@pytest.mark.parametrize(
    "text", [b"[]", b"7", b"null", b'"text"', b"[7]", b"[[]]", b"{}", b"[{}]", b"[null]", b"\xff", b"["]
)
@attack()
def test_manifests_of_wrong_types(target: Target, text: bytes) -> None:
    """The documents of an image archive have other types than they should."""
    for name in ("manifest.json", "index.json", "repositories"):
        response = target.load((name, text), ("oci-layout", text), ("layer.tar", LAYER))
        if response.status == 200 and text not in (b"[]", b"null", b"{}") and not response.error:
            assert name != "manifest.json"
