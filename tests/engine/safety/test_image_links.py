"""Links of images: an image's own links lead to the host."""

from __future__ import annotations

import pytest
from archives import Member, directory, link, tar_of
from attack_target import Target
from attacks import ISOLATED, attack

FILES = ["etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv", "etc/mtab"]
DIRECTORIES = ["etc", "dev", "proc", "sys", "dev/pts", "dev/shm", "dev/mqueue"]


def use(target: Target, image: str, **config: object) -> str:
    """Create and start a container of an image, read its files in every way, restart it and remove it."""
    container = target.create("true", image=image, **config)
    if not container:
        return ""
    for verb in ("start", "restart"):
        target.ask("POST", f"/containers/{container}/{verb}?t=0")
        target.ask("POST", f"/containers/{container}/wait")
    target.read_everywhere(container, "/", "/etc")
    target.ask("POST", f"/containers/{container}/rename?name={target.label}-renamed")
    target.ask("DELETE", f"/containers/{container}?force=1&v=1")
    return container


@pytest.mark.parametrize("name", FILES)
@attack()
def test_file_that_the_engine_writes_is_a_link(target: Target, name: str) -> None:
    """An image has a link to a file of the host in place of etc/hosts and other files that the engine writes."""
    use(target, target.image_with(link(name, f"{target.canary}/victim")), Hostname="attacked")


@pytest.mark.parametrize("name", FILES)
@attack()
def test_file_that_the_engine_writes_is_a_link_to_a_new_file(target: Target, name: str) -> None:
    """An image has a link to a file of the host that doesn't exist, where the engine writes a file."""
    use(target, target.image_with(link(name, f"{target.canary}/empty/new")))


@attack()
def test_file_that_the_engine_writes_is_a_relative_link(target: Target) -> None:
    """An image's /etc/hosts is a link with many `..` to a file of the host."""
    use(target, target.image_with(link("etc/hosts", f"{'../' * 20}{target.canary}/victim")))


@pytest.mark.parametrize("name", DIRECTORIES)
@attack()
def test_directory_that_the_engine_fills_is_a_link(target: Target, name: str) -> None:
    """An image has a link to a directory of the host as /etc, /dev, /proc, /sys or below /dev."""
    use(target, target.image_with(link(name, f"{target.canary}/empty")))
    use(target, target.image_with(link(name, f"{target.canary}/directory")))


@attack()
def test_device_of_the_container_is_a_link(target: Target) -> None:
    """An image has links to a file of the host as /dev/null, /dev/console and others."""
    names = ("null", "zero", "full", "random", "tty", "console", "ptmx", "stdin")
    use(
        target, target.image_with(directory("dev"), *(link(f"dev/{name}", f"{target.canary}/victim") for name in names))
    )


@pytest.mark.parametrize("name", ["etc/passwd", "etc"])
@attack()
def test_users_are_looked_up_in_a_file_of_the_host(target: Target, name: str) -> None:
    """An image's /etc/passwd or /etc is a link to the host, and the container runs as a user that is only there."""
    image = target.image_with(link(name, f"{target.canary}/{name}"))
    container = target.create("id", "-u", image=image, User="spy")
    if container and target.start(container).status == 204:
        target.reached("the user was found in the host's file")


@attack()
def test_groups_are_looked_up_in_a_file_of_the_host(target: Target) -> None:
    """An image's /etc/group is a link to the host, and the container runs with a group that is only there."""
    image = target.image_with(link("etc/group", f"{target.canary}/etc/group"))
    for config in ({"User": "0:spies"}, {"HostConfig": {"GroupAdd": ["spies"]}}):
        container = target.create("true", image=image, **config)
        if container and target.start(container).status == 204:
            target.reached("the group was found in the host's file")


@attack()
def test_owner_of_a_copy_is_looked_up_in_a_file_of_the_host(target: Target) -> None:
    """A Dockerfile copies with `--chown=spy`, and the image's /etc/passwd is a link to the host's."""
    image = target.image_with(link("etc/passwd", f"{target.canary}/etc/passwd"))
    _, response = target.build(f"FROM {image}\nCOPY --chown=spy file /file", ("file", b"x"))
    if not response.error:
        target.reached("the user was found in the host's file")


@pytest.mark.parametrize("path", ["/link/new", "/link/new/deeper", "/link", "/../../link/new"])
@attack()
def test_working_directory_is_below_a_link(target: Target, path: str) -> None:
    """A container's working directory is below a link of its image, so the engine creates it."""
    image = target.image_with(link("link", f"{target.canary}/empty"))
    use(target, image, WorkingDir=path)


@attack()
def test_working_directory_with_dots(target: Target) -> None:
    """A container's working directory has more `..` than directories."""
    use(target, "busybox", WorkingDir=f"{'/..' * 12}{target.canary}/empty/new")


@attack()
def test_dockerfile_changes_to_a_directory_below_a_link(target: Target) -> None:
    """A Dockerfile has a WORKDIR below a link of its base image, and copies a file there."""
    image = target.image_with(link("link", f"{target.canary}/empty"))
    target.build(f"FROM {image}\nWORKDIR /link/new\nCOPY file .\nRUN true", ("file", b"x"))


@attack()
def test_volume_at_a_link(target: Target) -> None:
    """An image declares a volume at a link and below one: a new volume gets the image's files."""
    image = target.image_with(link("link", f"{target.canary}/directory"), ("mark", b"x"))
    for path in ("/link", "/link/inside", "/link/new"):
        container = target.create("true", image=image, Volumes={path: {}})
        assert container
        target.start(container)
        target.read_everywhere(container, path, f"{path}/.", f"{path}/inner", f"{path}/file")


@attack()
def test_links_in_the_files_of_a_new_volume(target: Target) -> None:
    """A directory of an image, from which a volume is filled, has links to the host in it."""
    members: list[Member] = [directory("data"), ("data/file", b"x")]
    members += [link("data/secret", f"{target.canary}/secret"), link("data/all", f"{target.canary}/directory")]
    container = target.create("true", image=target.image_with(*members), Volumes={"/data": {}})
    assert container
    target.start(container)
    assert target.get(container, "/data/file").status == 200
    target.read_everywhere(container, "/data/.", "/data/secret", "/data/all/.", "/data/all/inner")


@pytest.mark.parametrize("kind", ["volume", "tmpfs", "bind"])
@attack()
def test_mount_below_a_link(target: Target, kind: str) -> None:
    """A volume, a tmpfs or a bind is mounted below a link of the image, so the engine creates the directory."""
    image = target.image_with(link("link", f"{target.canary}/empty"))
    source = {"volume": {"Source": target.volume()}, "bind": {"Source": f"{target.canary}/etc"}, "tmpfs": {}}[kind]
    mount = {"Type": kind, "Target": "/link/new/deeper", "ReadOnly": kind == "bind", **source}
    container = target.create("true", image=image, HostConfig={"Mounts": [mount]})
    if container:
        target.start(container)
        target.ask("POST", f"/containers/{container}/wait")


@attack()
def test_copy_to_a_link(target: Target) -> None:
    """A Dockerfile copies a file and a directory to links of its base image."""
    image = target.image_with(link("directory", f"{target.canary}/directory"), link("file", f"{target.canary}/victim"))
    lines = ["COPY new /directory/", "COPY new /directory/deep/er/", "COPY new /file", "COPY more /directory"]
    for line in lines:
        target.build(f"FROM {image}\n{line}\n", ("new", b"x"), ("more/inner", b"x"))


@attack()
def test_copy_of_an_etc_directory_with_links(target: Target) -> None:
    """A context has a link as etc/hosts, which is copied over /etc, and the next step runs a command."""
    links = [link(f"etc/{name}", f"{target.canary}/victim") for name in ("hosts", "hostname", "resolv.conf")]
    _, response = target.build("FROM busybox\nCOPY etc /etc\nRUN true\nRUN true", *links)
    assert response.status == 200


@attack()
def test_archive_is_added_to_a_link(target: Target) -> None:
    """A Dockerfile adds an archive, which is unpacked, to a link of its base image."""
    image = target.image_with(link("link", f"{target.canary}/directory"))
    packed = tar_of(("inner", b"overwritten"), ("new", b"x"))
    target.build(f"FROM {image}\nADD a.tar /link/\nADD a.tar /link\n", ("a.tar", packed))


@attack()
def test_copy_from_a_stage_with_links(target: Target) -> None:
    """A Dockerfile copies from another stage, whose files are links to the host."""
    image = target.image_with(link("secret", f"{target.canary}/secret"), link("all", f"{target.canary}/directory"))
    for source in ("/secret", "/all", "/all/", "/all/inner", f"/..{target.canary}/secret", "/all/*"):
        name, response = target.build(f"FROM {image} AS a\nFROM busybox\nCOPY --from=a {source} /copy/\n")
        if not response.error and (container := target.create("true", image=name)):
            target.read_everywhere(container, "/copy", "/copy/.")


@attack(ISOLATED)
def test_program_is_a_link(target: Target) -> None:
    """The command of a container and its health check are links to a program of the host."""
    image = target.image_with(link("bin/linked", f"{target.canary}/program"))
    target.run("linked", image=image)
    target.run("/bin/linked", image=image)
    container = target.create("sleep", "60", image=image)
    assert target.start(container).status == 204
    target.execute(container, "/bin/linked")
    target.ask("POST", f"/containers/{container}/kill")


@attack()
def test_link_is_copied_over_the_directory_of_a_stopped_container(target: Target) -> None:
    """A link to the host replaces /etc of a created container before it is started."""
    container = target.create("true")
    for name in ("etc", "etc/hosts", "etc/hostname", "etc/resolv.conf"):
        target.put(container, "/", link(name, f"{target.canary}/directory"))
        target.put(container, "/", link(name, f"{target.canary}/victim"))
    target.start(container)
    target.ask("POST", f"/containers/{container}/wait")
    target.read_everywhere(container, "/etc", "/etc/.", "/etc/hosts", "/etc/inner")


@attack()
def test_committed_links(target: Target) -> None:
    """A container with links to the host is committed, and the new image is started, exported and saved."""
    container = target.create("true")
    links = [link("link", f"{target.canary}/directory"), link("etc/hosts", f"{target.canary}/victim")]
    assert target.put(container, "/", *links).status == 200
    name = target.name_image()
    assert target.ask("POST", f"/commit?container={container}&repo={name}", {}).status == 201
    use(target, name, WorkingDir="/link/new")
    target.send("GET", f"/images/{name}/get")
    target.send("GET", f"/images/{name}/history")


@attack()
def test_image_is_nothing_but_a_link(target: Target) -> None:
    """An image's top directory is a link to the host."""
    for name in ("", ".", "./", "/"):
        member = link(name, f"{target.canary}/directory")
        image = target.import_image(("file", b"x"), member, ("file", b"x"), ("inner", b"x"), may_fail=True)
        if image:
            use(target, image)
