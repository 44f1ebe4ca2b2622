"""Files in and out of a container, what changed, volumes and mounts, stats, update; and archives that mean harm."""

from __future__ import annotations

import base64
import json
import tarfile
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from archives import link, tar_of, untar
from plain_http import ask, connection
from processes import wait_until


@pytest.fixture
def make(practice_host: str, labels: dict[str, str]) -> Any:
    """Give a function that creates a container, and runs it to its end if that is wanted."""

    def made(command: list[str], run: bool = False, **more: Any) -> str:
        body = {"Image": "busybox", "Cmd": command, "Labels": labels, **more}
        status, told = ask(practice_host, "POST", "/containers/create", body)
        assert status == 201, told
        if run:
            assert ask(practice_host, "POST", f"/containers/{told['Id']}/start")[0] == 204
            assert ask(practice_host, "POST", f"/containers/{told['Id']}/wait")[0] == 200
        return str(told["Id"])

    return made


@pytest.fixture
def isolated(practice_host: str) -> None:
    """Skip nothing: mounts are a matter of namespaces, and `make test` has them as root and as an ordinary user."""
    status = dict(ask(practice_host, "GET", "/info")[1]["DriverStatus"])
    assert status["Isolation"] in ("namespaces", "userns")


def raw(host: str, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    opened = connection(host)
    try:
        opened.request(method, path, body=body or None, headers={"Content-Type": "application/x-tar"})
        answer = opened.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        opened.close()


def put(host: str, container: str, path: str, body: bytes, more: str = "") -> tuple[int, Any]:
    status, _, told = raw(host, "PUT", f"/containers/{container}/archive?path={quote(path)}{more}", body)
    return status, json.loads(told) if told.strip() else None


def got(host: str, container: str, path: str) -> dict[str, bytes]:
    status, _, data = raw(host, "GET", f"/containers/{container}/archive?path={quote(path)}")
    assert status == 200, data
    return untar(data)


def output(host: str, container: str) -> str:
    _, _, data = raw(host, "GET", f"/containers/{container}/logs?stdout=1&stderr=1")
    text = b""
    while data:
        length = int.from_bytes(data[4:8], "big")
        text, data = text + data[8 : 8 + length], data[8 + length :]
    return text.decode()


def test_a_file_goes_in_and_comes_out(practice_host: str, make: Any) -> None:
    container = make(["cat", "/tmp/a"])
    assert put(practice_host, container, "/tmp", tar_of(("a", b"content"))) == (200, None)
    assert got(practice_host, container, "/tmp/a") == {"a": b"content"}
    assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
    ask(practice_host, "POST", f"/containers/{container}/wait")
    assert output(practice_host, container) == "content"


def test_a_compressed_archive_is_taken_too(practice_host: str, make: Any) -> None:
    import gzip

    container = make(["true"])
    assert put(practice_host, container, "/", gzip.compress(tar_of(("z", b"zipped"))))[0] == 200
    assert got(practice_host, container, "/z") == {"z": b"zipped"}


def test_what_a_path_is_stands_in_a_header(practice_host: str, make: Any) -> None:
    container = make(["true"])
    put(practice_host, container, "/", tar_of(("a", b"12345"), link("b", "/a")))
    status, headers, _ = raw(practice_host, "HEAD", f"/containers/{container}/archive?path=/a")
    told = json.loads(base64.b64decode(headers["X-Docker-Container-Path-Stat"]))
    assert status == 200
    assert (told["name"], told["size"], told["linkTarget"]) == ("a", 5, "")
    _, headers, _ = raw(practice_host, "HEAD", f"/containers/{container}/archive?path=/b")
    told = json.loads(base64.b64decode(headers["X-Docker-Container-Path-Stat"]))
    assert (told["linkTarget"], told["mode"] >> 27 & 1) == ("/a", 1)


@pytest.mark.parametrize(
    "hostile",
    [
        tar_of(("../../../escaped", b"x")),
        tar_of(("/tmp/../../../../../../escaped", b"x")),
        tar_of(link("way", "/"), ("way/escaped-by-link", b"x")),
        tar_of(link("way", "../../../../../.."), ("way/escaped-by-link", b"x")),
        tar_of(link("hard", "/etc/passwd", tarfile.LNKTYPE)),
        tar_of(link("hard", "../../../../../../../../etc/passwd", tarfile.LNKTYPE)),
    ],
    ids=[
        "dots",
        "dots below the root",
        "a link to the root",
        "a link with dots",
        "a hard link",
        "a hard link with dots",
    ],
)
def test_an_archive_cannot_lead_out(practice_host: str, make: Any, tmp_path: Path, hostile: bytes) -> None:
    container = make(["true"])
    before = Path("/etc/passwd").stat().st_nlink
    put(practice_host, container, "/tmp", hostile)
    root = Path(ask(practice_host, "GET", "/info")[1]["DockerRootDir"])
    for place in (Path("/"), Path("/tmp"), root, root / "containers", root / "containers" / container):
        assert not (place / "escaped").exists(), place
        assert not (place / "escaped-by-link").exists(), place
    assert Path("/etc/passwd").stat().st_nlink == before


def test_a_link_to_the_root_is_followed_inside(practice_host: str, make: Any) -> None:
    container = make(["true"])
    put(practice_host, container, "/tmp", tar_of(link("way", "/etc")))
    assert b"root" in got(practice_host, container, "/tmp/way/passwd")["passwd"]
    secret = (
        Path("/etc/shadow").read_bytes() if Path("/etc/shadow").exists() and __import__("os").geteuid() == 0 else b""
    )
    put(practice_host, container, "/tmp", tar_of(link("shadow", "../../../../../../etc/shadow")))
    _, _, data = raw(practice_host, "GET", f"/containers/{container}/archive?path=/tmp/shadow/.")
    assert not secret or secret not in data


def test_nothing_is_written_over_a_directory(practice_host: str, make: Any) -> None:
    container = make(["true"])
    status, told = put(practice_host, container, "/", tar_of(("tmp", b"a file")), "&noOverwriteDirNonDir=1")
    assert status == 400
    assert told["message"] == 'cannot overwrite directory "tmp" with non-directory'


def test_a_read_only_root_takes_nothing(practice_host: str, make: Any) -> None:
    container = make(["true"], HostConfig={"ReadonlyRootfs": True})
    status, told = put(practice_host, container, "/tmp", tar_of(("a", b"x")))
    assert (status, told["message"]) == (500, "container rootfs is marked read-only")


def test_what_changed(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "echo x >/new; rm /etc/group; mkdir -p /d/e; echo y >>/etc/passwd"], run=True)
    told = ask(practice_host, "GET", f"/containers/{container}/changes")[1]
    assert {(one["Path"], one["Kind"]) for one in told} == {
        ("/new", 1), ("/etc", 0), ("/etc/group", 2), ("/d", 1), ("/d/e", 1), ("/etc/passwd", 0),
    }  # fmt: skip


# -- volumes and mounts --------------------------------------------------------------------------------------


@pytest.fixture
def volume(practice_host: str) -> Any:
    """Make a volume, removed afterwards."""
    name = f"v-{uuid.uuid4().hex[:12]}"
    assert ask(practice_host, "POST", "/volumes/create", {"Name": name, "Labels": {"a": "b"}})[0] == 201
    yield name
    ask(practice_host, "DELETE", f"/volumes/{name}?force=1")


def test_a_volume_outlives_its_containers(practice_host: str, make: Any, volume: str, isolated: None) -> None:
    make(["sh", "-c", "echo kept >/data/file"], run=True, HostConfig={"Binds": [f"{volume}:/data"]})
    reader = make(["cat", "/data/file"], run=True, HostConfig={"Binds": [f"{volume}:/data:ro"]})
    assert output(practice_host, reader) == "kept\n"
    told = ask(practice_host, "GET", f"/containers/{reader}/json")[1]["Mounts"]
    assert [(one["Type"], one["Name"], one["Destination"], one["RW"]) for one in told] == [
        ("volume", volume, "/data", False)
    ]
    assert got(practice_host, reader, "/data/file") == {"file": b"kept\n"}
    status, told = ask(practice_host, "DELETE", f"/volumes/{volume}")
    assert status == 409
    assert told["message"].startswith(f"remove {volume}: volume is in use")


def test_a_new_volume_gets_what_the_image_has_there(practice_host: str, make: Any, volume: str) -> None:
    container = make(["true"], HostConfig={"Binds": [f"{volume}:/etc"]})
    assert "passwd" in got(practice_host, container, "/etc/passwd")


def test_volumes_are_found_by_filters(practice_host: str, volume: str) -> None:
    def names(**filters: list[str]) -> list[str]:
        told = ask(practice_host, "GET", f"/volumes?filters={quote(json.dumps(filters))}")[1]
        return [one["Name"] for one in told["Volumes"]]

    assert names(name=[volume]) == [volume]
    assert volume in names(label=["a=b"], dangling=["true"])
    assert volume not in names(label=["a=c"])
    assert volume not in names(dangling=["0"])


def test_an_anonymous_volume_goes_with_its_container(practice_host: str, make: Any) -> None:
    container = make(["true"], Volumes={"/made": {}})
    [point] = ask(practice_host, "GET", f"/containers/{container}/json")[1]["Mounts"]
    assert ask(practice_host, "GET", f"/volumes/{point['Name']}")[0] == 200
    assert ask(practice_host, "DELETE", f"/containers/{container}?v=1")[0] == 204
    assert ask(practice_host, "GET", f"/volumes/{point['Name']}")[0] == 404


def test_binds_tmpfs_and_a_read_only_root(practice_host: str, make: Any, tmp_path: Path, isolated: None) -> None:
    (tmp_path / "file").write_text("from the host\n")
    host = {
        "Binds": [f"{tmp_path}:/bound:ro"],
        "Tmpfs": {"/scratch": "size=1m"},
        "ReadonlyRootfs": True,
    }
    script = "cat /bound/file; touch /bound/x; touch /x; touch /scratch/x && echo scratch"
    said = output(practice_host, make(["sh", "-c", script], run=True, HostConfig=host))
    assert "from the host" in said
    assert "scratch" in said
    assert said.count("Read-only file system") == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_kernel_knobs_cannot_be_turned(practice_host: str, make: Any, isolated: None) -> None:
    script = "echo 1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger; cat /proc/kcore 2>/dev/null | wc -c"
    said = output(practice_host, make(["sh", "-c", script], run=True))
    assert said.count("can't create") == 2
    assert "0" in said.split()


def test_rlimits_and_no_new_privileges(practice_host: str, make: Any) -> None:
    host = {"Ulimits": [{"Name": "nofile", "Soft": 99, "Hard": 100}], "SecurityOpt": ["no-new-privileges"]}
    command = ["sh", "-c", "ulimit -n; grep NoNewPrivs /proc/self/status"]
    said = output(practice_host, make(command, run=True, HostConfig=host))
    assert said.split() == ["99", "NoNewPrivs:", "1"]


# -- update, stats, prune ------------------------------------------------------------------------------------


def test_update_keeps_and_shows(practice_host: str, make: Any) -> None:
    container = make(["sleep", "600"])
    body = {
        "Memory": 64 << 20,
        "MemorySwap": 128 << 20,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
    }
    assert ask(practice_host, "POST", f"/containers/{container}/update", body)[0] == 200
    host = ask(practice_host, "GET", f"/containers/{container}/json")[1]["HostConfig"]
    assert host["Memory"] == 64 << 20
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    status, told = ask(practice_host, "POST", f"/containers/{container}/update", {"Memory": 1000})
    assert (status, told["message"]) == (400, "Minimum memory limit allowed is 6MB")


def test_stats_count(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "while :; do :; done"])
    assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
    told = ask(practice_host, "GET", f"/containers/{container}/stats?stream=0")[1]
    assert told["id"] == container
    before, after = (told[name]["cpu_usage"]["total_usage"] for name in ("precpu_stats", "cpu_stats"))
    assert after > before
    assert told["memory_stats"]["usage"] > 0
    assert told["pids_stats"]["current"] >= 1
    once = ask(practice_host, "GET", f"/containers/{container}/stats?stream=0&one-shot=1")[1]
    assert once["precpu_stats"]["cpu_usage"]["total_usage"] == 0


def test_a_health_check_says_how_it_is(practice_host: str, make: Any) -> None:
    check = {"Test": ["CMD-SHELL", "echo looked; test -e /tmp/ok"], "Interval": 100_000_000, "Retries": 1}
    container = make(["sh", "-c", "touch /tmp/ok; sleep 1; rm /tmp/ok; sleep 600"], Healthcheck=check)
    assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204

    def health() -> dict[str, Any]:
        return dict(ask(practice_host, "GET", f"/containers/{container}/json")[1]["State"]["Health"])

    assert health()["Status"] == "starting"
    wait_until(lambda: health()["Status"] == "healthy")
    wait_until(lambda: health()["Status"] == "unhealthy")
    assert health()["Log"][-1]["Output"] == "looked\n"
    assert len(health()["Log"]) <= 5


def test_a_bound_directory_keeps_what_its_mount_forbids(practice_host: str, make: Any, isolated: None) -> None:
    """A read-only bind of a place that is mounted nosuid and nodev: in a user namespace these flags must stay."""
    place = Path("/dev/shm")
    assert place.is_dir()
    marked = place / f"dockerlab-{uuid.uuid4().hex[:8]}"
    marked.write_text("there\n")
    try:
        host = {"Binds": [f"{place}:/bound:ro"]}
        said = output(practice_host, make(["cat", f"/bound/{marked.name}"], run=True, HostConfig=host))
        assert said == "there\n"
    finally:
        marked.unlink()
