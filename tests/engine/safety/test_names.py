"""Names: names and paths in requests lead to the host."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from archives import link
from attack_target import Target
from attacks import attack


def paths(target: Target) -> list[str]:
    """Return names that would be paths to the host if the engine joined them to its own."""
    up = f"{'../' * 24}{target.canary}/empty/new"
    return [up, f"{target.canary}/empty/new", f"a/{up}", "..", ".", "a/../..", "../x", "x\n../y", "/", "\0", "a\0b"]


@attack()
def test_volumes(target: Target) -> None:
    """A volume is created, inspected and removed by a name that is a path."""
    for name in paths(target):
        assert target.ask("POST", "/volumes/create", {"Name": name}).status >= 400, name
        target.ask("GET", f"/volumes/{quote(name, safe='')}")
        target.ask("DELETE", f"/volumes/{quote(name, safe='')}?force=1")
    for name in (f"{'../' * 24}{target.canary}/directory", f"{'../' * 24}{target.canary}/empty", "../volumes"):
        target.ask("GET", f"/volumes/{quote(name, safe='')}")
        target.ask("DELETE", f"/volumes/{quote(name, safe='')}?force=1")


@attack()
def test_volumes_of_a_container(target: Target) -> None:
    """A container mounts volumes by names that are paths."""
    for name in paths(target):
        mount = {"Type": "volume", "Source": name, "Target": "/data"}
        for config in ({"Binds": [f"{name}:/data"]} if not name.startswith("/") else {}, {"Mounts": [mount]}):
            if config and (container := target.create("true", HostConfig=config)):
                target.start(container)
                target.read_everywhere(container, "/data", "/data/.")
                target.ask("DELETE", f"/containers/{container}?force=1&v=1")


@attack()
def test_containers(target: Target) -> None:
    """A container is created, renamed, inspected and removed by a name that is a path."""
    container = target.create("true")
    for name in paths(target):
        assert not target.create("true", name=name), name
        assert target.ask("POST", f"/containers/{container}/rename?{urlencode({'name': name})}").status >= 400, name
        for verb, rest in (
            ("GET", "/json"),
            ("GET", "/export"),
            ("GET", "/logs?stdout=1"),
            ("POST", "/start"),
            ("DELETE", ""),
        ):
            assert target.ask(verb, f"/containers/{quote(name, safe='')}{rest}").status >= 300, name


@attack()
def test_names_of_host_and_domain(target: Target) -> None:
    """The name of a host, a domain, an alias or a link has lines of a hosts file or of passwd in it."""
    text = f"a\n127.0.0.1 host\nspy::0:0::/:/bin/sh\n{'../' * 24}{target.canary}/empty/new"
    configs = [{"Hostname": text}, {"Domainname": text}, {"HostConfig": {"ExtraHosts": [f"{text}:127.0.0.1"]}}]
    configs += [
        {"HostConfig": {"Dns": [text]}},
        {"HostConfig": {"DnsSearch": [text]}},
        {"HostConfig": {"DnsOptions": [text]}},
    ]
    configs += [
        {"HostConfig": {"Links": [f"{text}:{text}"]}},
        {"MacAddress": text},
        {"User": text},
        {"StopSignal": text},
    ]
    for config in configs:
        if container := target.create("true", **config):
            target.start(container)
            target.ask("DELETE", f"/containers/{container}?force=1")


@attack()
def test_networks(target: Target) -> None:
    """A network is created, inspected and removed by a name that is a path, and has one in its options."""
    for name in paths(target):
        response = target.ask("POST", "/networks/create", {"Name": name, "Options": {name: name}})
        target.ask("GET", f"/networks/{quote(name, safe='')}")
        if response.status == 201:
            target.ask("DELETE", f"/networks/{response.document['Id']}")
        target.ask("DELETE", f"/networks/{quote(name, safe='')}")


@attack()
def test_images(target: Target) -> None:
    """An image is tagged, inspected, saved and removed by a name that is a path."""
    for name in paths(target):
        query = urlencode({"repo": name, "tag": name})
        assert target.ask("POST", f"/images/busybox/tag?{query}").status >= 400, name
        assert target.ask("POST", f"/images/busybox/tag?{urlencode({'repo': target.label, 'tag': name})}").status >= 400
        for verb, rest in (("GET", "/json"), ("GET", "/get"), ("GET", "/history"), ("DELETE", "")):
            target.ask(verb, f"/images/{quote(name, safe='')}{rest}")
        target.ask("GET", f"/images/get?{urlencode({'names': name})}")
        target.ask("GET", f"/images/sha256:{quote(name, safe='')}/json")


@attack()
def test_execs(target: Target) -> None:
    """An exec is started, resized and inspected by an id that is a path."""
    for name in paths(target):
        identity = quote(name, safe="")
        assert target.ask("GET", f"/exec/{identity}/json").status >= 300
        assert target.ask("POST", f"/exec/{identity}/start", {"Detach": True}).status >= 300


@attack()
def test_sources_of_an_import(target: Target) -> None:
    """An import, an image's name and the context of a build are files of the host."""
    for source in (
        f"{target.canary}/archive.tar",
        f"file://{target.canary}/archive.tar",
        f"../..{target.canary}/archive.tar",
    ):
        name = target.name_image()
        target.ask("POST", f"/images/create?{urlencode({'fromSrc': source, 'repo': name})}")
        target.ask("POST", f"/build?{urlencode({'remote': source, 't': name})}")
        target.ask("POST", f"/build?{urlencode({'remote': f'{source}.git', 't': name})}")
        if container := target.create("true", image=name):
            target.read_everywhere(container, "/inner", "/secret")


@attack()
def test_sources_of_an_add(target: Target) -> None:
    """A Dockerfile adds files of the host, by a path, with `..` or by a file's URL."""
    up = f"{'../' * 24}{target.canary}"
    sources = [
        f"{target.canary}/secret",
        f"{up}/secret",
        f"file://{target.canary}/secret",
        f"./{up}/directory",
        f"{up}/s*",
    ]
    for source in sources:
        for instruction in ("ADD", "COPY"):
            name, _ = target.build(f"FROM busybox\n{instruction} {source} /copy/", ("file", b"x"))
            if container := target.create("true", image=name):
                target.read_everywhere(container, "/copy", "/copy/.")


@attack()
def test_targets_of_an_add(target: Target) -> None:
    """A Dockerfile copies files to paths of the host, and changes to a directory there."""
    up = f"{'../' * 24}{target.canary}/empty"
    for path in (f"{up}/new", f"/{up}/", f"/tmp/{up}/new/"):
        target.build(
            f"FROM busybox\nCOPY file {path}\nWORKDIR {path}\nADD file {path}\nVOLUME {path}\nRUN true", ("file", b"x")
        )


@attack()
def test_path_of_the_dockerfile(target: Target) -> None:
    """The Dockerfile of a build is a file of the host, or a link to it, and so is .dockerignore."""

    for path in (f"{target.canary}/Dockerfile", f"{'../' * 24}{target.canary}/Dockerfile"):
        name, _ = target.build("FROM busybox", dockerfile=path)
        target.send("GET", f"/images/{name}/json")
        for member in (link("Dockerfile", path), link("folder", path.removesuffix("/Dockerfile"))):
            for dockerfile in ("Dockerfile", "folder/Dockerfile"):
                name, _ = target.build("", member, dockerfile=dockerfile)
                target.send("GET", f"/images/{name}/json")
        ignore = link(".dockerignore", path.replace("Dockerfile", "dockerignore"))
        name, response = target.build("FROM busybox\nCOPY ordinary /", ignore, ("ordinary", b"x"))
        if "ordinary" in response.error:
            target.reached("the host's .dockerignore was read")


@attack()
def test_links_in_a_context(target: Target) -> None:
    """A context has links to the host, and the Dockerfile copies and adds them and what is below."""

    links = [link("secret", f"{target.canary}/secret"), link("all", f"{target.canary}/directory")]
    links += [link("up", f"{'../' * 24}{target.canary}/directory"), link("tar", f"{target.canary}/archive.tar")]
    for source in ("secret", "all", "all/", "all/inner", "up/secret", "up/*", "tar", ". /copy/ && true", "./all/.."):
        for instruction in ("COPY", "ADD"):
            name, _ = target.build(f"FROM busybox\n{instruction} {source} /copy/", *links)
            if container := target.create("true", image=name):
                target.read_everywhere(container, "/copy", "/copy/.", "/copy/inner")


@attack()
def test_settings_that_are_paths(target: Target) -> None:
    """A container's runtime, parent group, log options, init and other settings are paths to the host."""
    new = f"{'../' * 24}{target.canary}/empty/new"
    settings: list[dict[str, object]] = [
        {"CgroupParent": f"/{new}"}, {"CgroupParent": new}, {"Runtime": new}, {"ContainerIDFile": new},
        {"LogConfig": {"Type": "json-file", "Config": {"path": new, "tag": new, "env": new}}},
        {"StorageOpt": {"size": new}}, {"UTSMode": new}, {"IpcMode": new},
        {"VolumeDriver": new}, {"NetworkMode": new}, {"NetworkMode": f"container:{new}"},
        {"PidMode": f"container:{new}"}, {"VolumesFrom": [new]}, {"SecurityOpt": [f"seccomp={target.canary}/secret"]},
        {"SecurityOpt": [f"apparmor={new}"]},
        {"Ulimits": [{"Name": new, "Soft": 1, "Hard": 1}]}, {"Sysctls": {f"kernel/{new}": "1", f"net.{new}": "1"}},
    ]  # fmt: skip
    if target.name != "docker":  # Docker waits a quarter of a minute for a plugin of this name
        settings.append({"LogConfig": {"Type": new, "Config": {}}})
    for host in settings:
        if container := target.create("true", HostConfig=host):
            target.start(container)
            target.ask("POST", f"/containers/{container}/wait?condition=not-running", seconds=10)
            target.ask("DELETE", f"/containers/{container}?force=1")


@attack()
def test_credentials_and_headers(target: Target) -> None:
    """The header with credentials has no JSON, or names a file of the host."""
    texts = [
        b"x",
        b"[]",
        b"7",
        b'{"serveraddress": "file:///etc/passwd"}',
        b"\xff" * 100,
        json.dumps([[]] * 99).encode(),
    ]
    for text in texts:
        headers = {"X-Registry-Auth": base64.urlsafe_b64encode(text).decode()}
        response = target.send("POST", f"/images/{target.label}/push", headers=headers)
        assert response.status != 200 or response.error
        target.send("POST", "/auth", text, {"Content-Type": "application/json"})


@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT"])
@attack()
def test_paths_of_an_archive(target: Target, verb: str) -> None:
    """The path of an archive request is outside, or is a link of the container to the host."""

    container = target.create("true", HostConfig={"Binds": [f"{target.volume()}:/data"]})
    links = [link("link", f"{target.canary}/directory"), link("secret", f"{target.canary}/secret")]
    for folder in ("/", "/data"):
        assert target.put(container, folder, *links, link("new", f"{target.canary}/empty/new")).status == 200
        # Docker 20.10 refuses a link that leads out of the volume with `..`
        target.put(container, folder, link("up", f"{'../' * 24}{target.canary}/directory"))
    ends = (
        "link",
        "link/",
        "link/.",
        "link/inner",
        "up/secret",
        "secret",
        "secret/",
        "new",
        "link/..",
        "link/../secret",
    )
    outside = [f"{'../' * 24}{target.canary}{end}" for end in ("/secret", "/directory", "/directory/.", "/empty")]
    for path in [*(f"{folder}{end}" for folder in ("/", "/data/") for end in ends), *outside, str(target.canary)]:
        if verb == "PUT":
            target.put(container, path, ("inner", b"overwritten"), ("new", b"x"))
        else:
            target.send(verb, f"/containers/{container}/archive?path={quote(path)}")


@attack()
def test_source_of_a_mount_is_relative(target: Target) -> None:
    """The source of a mount is a relative path, which would begin where the engine happens to work."""
    for source in ("..", ".", str(target.canary).lstrip("/"), f"../..{target.canary}", "tmp"):
        mount = {"Type": "bind", "Source": source, "Target": "/data"}
        response = target.ask("POST", "/containers/create", {"Image": "busybox", "HostConfig": {"Mounts": [mount]}})
        if response.status == 201:
            target.reached(f"the engine accepts the source {source!r}")
            target.ask("DELETE", f"/containers/{response.document['Id']}?force=1")
