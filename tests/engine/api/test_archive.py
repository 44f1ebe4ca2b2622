"""Files in and out of a container, changes, volumes and mounts, stats, update; and hostile archives."""

from __future__ import annotations

import base64
import gzip
import json
import os
import tarfile
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from archives import link, tar_of, untar
from plain_http import ask, container_output, send_raw
from processes import wait_until


@pytest.fixture
def make(practice_host: str, labels: dict[str, str]) -> Any:
    """Give a function that creates a container and, with run=True, runs it to its end."""

    def make_container(command: list[str], run: bool = False, **more: Any) -> str:
        body = {"Image": "busybox", "Cmd": command, "Labels": labels, **more}
        status, container = ask(practice_host, "POST", "/containers/create", body)
        assert status == 201, container
        if run:
            assert ask(practice_host, "POST", f"/containers/{container['Id']}/start")[0] == 204
            assert ask(practice_host, "POST", f"/containers/{container['Id']}/wait")[0] == 200
        return str(container["Id"])

    return make_container


@pytest.fixture
def isolated(practice_host: str) -> None:
    """Check that containers have namespaces, without which there are no mounts. No test is skipped for lack of them."""
    status = dict(ask(practice_host, "GET", "/info")[1]["DriverStatus"])
    assert status["Isolation"] in ("namespaces", "userns")


def put_archive(host: str, container: str, path: str, body: bytes, options: str = "") -> tuple[int, Any]:
    status, data, _ = send_raw(host, "PUT", f"/containers/{container}/archive?path={quote(path)}{options}", body)
    return status, json.loads(data) if data.strip() else None


def get_archive(host: str, container: str, path: str) -> dict[str, bytes]:
    status, data, _ = send_raw(host, "GET", f"/containers/{container}/archive?path={quote(path)}")
    assert status == 200, data
    return untar(data)


def test_a_file_is_copied_in_and_out(practice_host: str, make: Any) -> None:
    container = make(["cat", "/tmp/a"])
    assert put_archive(practice_host, container, "/tmp", tar_of(("a", b"content"))) == (200, None)
    assert get_archive(practice_host, container, "/tmp/a") == {"a": b"content"}
    assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
    ask(practice_host, "POST", f"/containers/{container}/wait")
    assert container_output(practice_host, container) == "content"


def test_a_compressed_archive_is_accepted(practice_host: str, make: Any) -> None:
    container = make(["true"])
    assert put_archive(practice_host, container, "/", gzip.compress(tar_of(("z", b"zipped"))))[0] == 200
    assert get_archive(practice_host, container, "/z") == {"z": b"zipped"}


def test_a_header_describes_the_path(practice_host: str, make: Any) -> None:
    container = make(["true"])
    put_archive(practice_host, container, "/", tar_of(("a", b"12345"), link("b", "/a")))
    status, _, headers = send_raw(practice_host, "HEAD", f"/containers/{container}/archive?path=/a")
    details = json.loads(base64.b64decode(headers["X-Docker-Container-Path-Stat"]))
    assert status == 200
    assert (details["name"], details["size"], details["linkTarget"]) == ("a", 5, "")
    _, _, headers = send_raw(practice_host, "HEAD", f"/containers/{container}/archive?path=/b")
    details = json.loads(base64.b64decode(headers["X-Docker-Container-Path-Stat"]))
    assert (details["linkTarget"], details["mode"] >> 27 & 1) == ("/a", 1)


@pytest.mark.parametrize(
    "hostile",
    [
        tar_of(("../../../escaped", b"x")),
        tar_of(("/tmp/../../../../../../escaped", b"x")),
        tar_of(link("link", "/"), ("link/escaped-by-link", b"x")),
        tar_of(link("link", "../../../../../.."), ("link/escaped-by-link", b"x")),
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
def test_a_hostile_archive_stays_within_the_container(
    practice_host: str, make: Any, tmp_path: Path, hostile: bytes
) -> None:
    container = make(["true"])
    before = Path("/etc/passwd").stat().st_nlink
    put_archive(practice_host, container, "/tmp", hostile)
    root = Path(ask(practice_host, "GET", "/info")[1]["DockerRootDir"])
    for folder in (Path("/"), Path("/tmp"), root, root / "containers", root / "containers" / container):
        assert not (folder / "escaped").exists(), folder
        assert not (folder / "escaped-by-link").exists(), folder
    assert Path("/etc/passwd").stat().st_nlink == before


def test_absolute_links_are_followed_within_the_container(practice_host: str, make: Any) -> None:
    container = make(["true"])
    put_archive(practice_host, container, "/tmp", tar_of(link("link", "/etc")))
    assert b"root" in get_archive(practice_host, container, "/tmp/link/passwd")["passwd"]
    secret = Path("/etc/shadow").read_bytes() if Path("/etc/shadow").exists() and os.geteuid() == 0 else b""
    put_archive(practice_host, container, "/tmp", tar_of(link("shadow", "../../../../../../etc/shadow")))
    _, data, _ = send_raw(practice_host, "GET", f"/containers/{container}/archive?path=/tmp/shadow/.")
    assert not secret or secret not in data


def test_a_directory_is_not_overwritten(practice_host: str, make: Any) -> None:
    container = make(["true"])
    status, response = put_archive(practice_host, container, "/", tar_of(("tmp", b"a file")), "&noOverwriteDirNonDir=1")
    assert status == 400
    assert response["message"] == 'cannot overwrite directory "tmp" with non-directory'


def test_a_read_only_root_refuses_archives(practice_host: str, make: Any) -> None:
    container = make(["true"], HostConfig={"ReadonlyRootfs": True})
    status, response = put_archive(practice_host, container, "/tmp", tar_of(("a", b"x")))
    assert (status, response["message"]) == (400, "container rootfs is marked read-only")


def test_changes(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "echo x >/new; rm /etc/group; mkdir -p /d/e; echo y >>/etc/passwd"], run=True)
    changes = ask(practice_host, "GET", f"/containers/{container}/changes")[1]
    assert {(change["Path"], change["Kind"]) for change in changes} == {
        ("/new", 1), ("/etc", 0), ("/etc/group", 2), ("/d", 1), ("/d/e", 1), ("/etc/passwd", 0),
    }  # fmt: skip


# -- volumes and mounts --------------------------------------------------------------------------------------


@pytest.fixture
def volume(practice_host: str) -> Any:
    """Give the name of a volume, which is removed afterwards."""
    name = f"v-{uuid.uuid4().hex[:12]}"
    assert ask(practice_host, "POST", "/volumes/create", {"Name": name, "Labels": {"a": "b"}})[0] == 201
    yield name
    ask(practice_host, "DELETE", f"/volumes/{name}?force=1")


def test_a_volume_keeps_its_files_after_its_containers(
    practice_host: str, make: Any, volume: str, isolated: None
) -> None:
    make(["sh", "-c", "echo kept >/data/file"], run=True, HostConfig={"Binds": [f"{volume}:/data"]})
    reader = make(["cat", "/data/file"], run=True, HostConfig={"Binds": [f"{volume}:/data:ro"]})
    assert container_output(practice_host, reader) == "kept\n"
    response = ask(practice_host, "GET", f"/containers/{reader}/json")[1]["Mounts"]
    assert [(mount["Type"], mount["Name"], mount["Destination"], mount["RW"]) for mount in response] == [
        ("volume", volume, "/data", False)
    ]
    assert get_archive(practice_host, reader, "/data/file") == {"file": b"kept\n"}
    status, response = ask(practice_host, "DELETE", f"/volumes/{volume}")
    assert status == 409
    assert response["message"].startswith(f"remove {volume}: volume is in use")


def test_a_new_volume_gets_the_files_of_the_image(practice_host: str, make: Any, volume: str) -> None:
    container = make(["true"], HostConfig={"Binds": [f"{volume}:/etc"]})
    assert "passwd" in get_archive(practice_host, container, "/etc/passwd")


def test_volumes_can_be_filtered(practice_host: str, volume: str) -> None:
    def names(**filters: list[str]) -> list[str]:
        response = ask(practice_host, "GET", f"/volumes?filters={quote(json.dumps(filters))}")[1]
        return [volume["Name"] for volume in response["Volumes"]]

    assert names(name=[volume]) == [volume]
    assert volume in names(label=["a=b"], dangling=["true"])
    assert volume not in names(label=["a=c"])
    assert volume not in names(dangling=["0"])


def test_an_anonymous_volume_is_removed_with_its_container(practice_host: str, make: Any) -> None:
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
    text = container_output(practice_host, make(["sh", "-c", script], run=True, HostConfig=host))
    assert "from the host" in text
    assert "scratch" in text
    assert text.count("Read-only file system") == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_kernel_settings_cannot_be_changed(practice_host: str, make: Any, isolated: None) -> None:
    script = "echo 1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger; cat /proc/kcore 2>/dev/null | wc -c"
    text = container_output(practice_host, make(["sh", "-c", script], run=True))
    assert text.count("can't create") == 2
    assert "0" in text.split()


def test_rlimits_and_no_new_privileges(practice_host: str, make: Any) -> None:
    host = {"Ulimits": [{"Name": "nofile", "Soft": 99, "Hard": 100}], "SecurityOpt": ["no-new-privileges"]}
    command = ["sh", "-c", "ulimit -n; grep NoNewPrivs /proc/self/status"]
    text = container_output(practice_host, make(command, run=True, HostConfig=host))
    assert text.split() == ["99", "NoNewPrivs:", "1"]


# -- update, stats, prune ------------------------------------------------------------------------------------


def test_update_changes_the_configuration(practice_host: str, make: Any) -> None:
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
    status, response = ask(practice_host, "POST", f"/containers/{container}/update", {"Memory": 1000})
    assert (status, response["message"]) == (400, "Minimum memory limit allowed is 6MB")


def test_stats_have_values(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "while :; do :; done"])
    assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
    stats = ask(practice_host, "GET", f"/containers/{container}/stats?stream=0")[1]
    assert stats["id"] == container
    before, after = (stats[name]["cpu_usage"]["total_usage"] for name in ("precpu_stats", "cpu_stats"))
    assert after > before
    assert stats["memory_stats"]["usage"] > 0
    assert stats["pids_stats"]["current"] >= 1
    once = ask(practice_host, "GET", f"/containers/{container}/stats?stream=0&one-shot=1")[1]
    assert once["precpu_stats"]["cpu_usage"]["total_usage"] == 0


def test_a_health_check_changes_the_health_status(practice_host: str, make: Any) -> None:
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


def test_a_bind_mount_keeps_the_flags_of_its_source(practice_host: str, make: Any, isolated: None) -> None:
    """In a user namespace, a read-only bind of a nosuid and nodev mount must keep these flags."""
    folder = Path("/dev/shm")
    assert folder.is_dir()
    file = folder / f"dockerlab-{uuid.uuid4().hex[:8]}"
    file.write_text("there\n")
    try:
        host = {"Binds": [f"{folder}:/bound:ro"]}
        text = container_output(practice_host, make(["cat", f"/bound/{file.name}"], run=True, HostConfig=host))
        assert text == "there\n"
    finally:
        file.unlink()
