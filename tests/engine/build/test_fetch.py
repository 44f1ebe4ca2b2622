"""Downloads of a build: files that ADD names by a URL, and a context from a URL."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from archives import tar_of
from plain_http import ask, json_lines, send_raw
from servers import web_server

CHANGED = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
CONTEXT = tar_of(("Dockerfile", b"FROM busybox\nCOPY word /word\nRUN cat /word\n"), ("word", b"from an archive\n"))
#: The type of binary files.
BINARY = {"Content-Type": "application/octet-stream"}
FILES = {
    "/a.txt": (b"hello\n", CHANGED),
    "/set.tar": (tar_of(("inside", b"x")), BINARY),
    "/moved": (b"", {"Location": "/a.txt"}),
    "/": (b"an index\n", {}),
    "/named/": (b"hello\n", {"Content-Disposition": 'attachment; filename="header.txt"'}),
    "/context.tgz": (gzip.compress(CONTEXT), BINARY),
    "/Dockerfile": (b"FROM busybox\nRUN echo alone\n", {}),
    "/needy": (b"FROM busybox\nCOPY a /a\n", {}),
    "/wrong": (b"helo there\n", {}),
}


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """Give the address of a web server with FILES, and the list of requested paths."""
    with web_server(FILES) as server:
        yield server


def build(host: str, query: str = "", dockerfile: str = "") -> tuple[int, list[dict[str, Any]]]:
    """Build from a Dockerfile, or from a remote context in the query. Return the status and the lines."""
    body = tar_of(("Dockerfile", dockerfile.encode())) if dockerfile else b""
    status, data, _ = send_raw(host, "POST", f"/build?rm=1&{query}", body)
    return status, json_lines(data)


def text(lines: list[dict[str, Any]]) -> str:
    """Return the output of a build."""
    return "".join(line.get("stream", "") for line in lines)


@pytest.fixture(autouse=True)
def remove_new_images(practice_host: str) -> Iterator[None]:
    """Remove the images that a test has built."""
    before = {image["Id"] for image in ask(practice_host, "GET", "/images/json?all=1")[1]}
    yield
    for _ in range(5):
        for image in ask(practice_host, "GET", "/images/json?all=1")[1]:
            if image["Id"] not in before:
                ask(practice_host, "DELETE", f"/images/{image['Id']}?force=1")
    assert {image["Id"] for image in ask(practice_host, "GET", "/images/json?all=1")[1]} == before


def test_add_downloads_files(practice_host: str, web: tuple[str, list[str]]) -> None:
    steps = (
        f"FROM busybox\nADD {web[0]}/a.txt {web[0]}/set.tar {web[0]}/moved /y/\nRUN ls -ln --full-time /y; cat /y/*d\n"
    )
    status, lines = build(practice_host, dockerfile=steps)
    assert (status, [line for line in lines if "error" in line]) == (200, [])
    assert text(lines).count("-rw-------    1 0        0   ") == 3, (
        "only the owner may read them, and an archive is not unpacked"
    )
    assert "6 2024-01-01 00:00:00 +0000 a.txt\n" in text(lines)
    assert "1970-01-01 00:00:00 +0000 set.tar\n" in text(lines)
    assert "\nhello\n" in text(lines), "a redirect is followed, and the file has the requested name"
    progress = [line for line in lines if line.get("status") == "Downloading"]
    assert progress[0]["progressDetail"] == {"current": 6, "total": 6}
    assert progress[0]["progress"] == f"[{'=' * 50}>]       6B/6B"


def test_an_unchanged_file_is_downloaded_again_and_the_step_is_cached(
    practice_host: str, web: tuple[str, list[str]]
) -> None:
    steps = f"FROM busybox\nADD {web[0]}/a.txt /kept\n"
    first, second = text(build(practice_host, dockerfile=steps)[1]), text(build(practice_host, dockerfile=steps)[1])
    assert ("Using cache" in first, "Using cache" in second) == (False, True)
    assert web[1] == ["/a.txt", "/a.txt"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("ADD {web}/nope /y", "ADD failed: failed to GET {web}/nope with status 404 File not found: "),
        ("ADD {web}/ /y/", "ADD failed: cannot determine filename for source {web}/"),
        ("COPY {web}/a.txt /y", "COPY failed: source can't be a URL for COPY"),
        ("ADD http://127.0.0.1:1/x /y", 'ADD failed: Get "http://127.0.0.1:1/x": '),
    ],
)
def test_downloads_that_fail(practice_host: str, web: tuple[str, list[str]], step: str, words: str) -> None:
    status, lines = build(practice_host, dockerfile=f"FROM busybox\n{step.format(web=web[0])}\n")
    assert status == 200
    assert lines[-1]["error"].startswith(words.format(web=web[0])), lines[-1]
    assert "Max retries" not in lines[-1]["error"]


def test_a_header_names_the_file_if_the_url_has_no_name(practice_host: str, web: tuple[str, list[str]]) -> None:
    _, lines = build(practice_host, dockerfile=f"FROM busybox\nADD {web[0]}/named/ /y/\nRUN ls /y\n")
    assert "header.txt\n" in text(lines)


def test_a_remote_context(practice_host: str, web: tuple[str, list[str]]) -> None:
    url = f"{web[0]}/context.tgz"
    status, lines = build(practice_host, f"remote={quote(url, safe='')}")
    assert (status, lines[0]["status"], lines[0]["id"]) == (200, url, "Downloading context")
    assert "from an archive\n" in text(lines)
    assert text(lines).splitlines()[-1].startswith("Successfully built ")


def test_a_remote_dockerfile(practice_host: str, web: tuple[str, list[str]]) -> None:
    status, lines = build(practice_host, f"remote={web[0]}/Dockerfile")
    assert (status, lines[1]) == (200, {})
    assert "alone\n" in text(lines)
    assert build(practice_host, f"remote={web[0]}/needy")[1][-1]["error"] == "COPY failed: missing build context"
    words = "dockerfile parse error on line 1: unknown instruction: helo (did you mean shell?)"
    assert build(practice_host, f"remote={web[0]}/wrong")[1][-1]["error"] == words


@pytest.mark.parametrize(
    ("remote", "status", "words"),
    [
        ("{web}/nope", 404, "error downloading remote context {web}/nope: failed to GET {web}/nope with status 404 "),
        ("http://127.0.0.1:1/x", 500, 'error downloading remote context http://127.0.0.1:1/x: Get "http://127.0.0.1'),
        ("zzz", 500, "remoteURL (zzz) could not be recognized as URL"),
        ("github.com/a/b", 501, "the practice engine does not clone repositories"),
        ("https://example.test/a.git#main:dir", 501, "the practice engine does not clone repositories"),
    ],
)
def test_remote_contexts_that_fail(
    practice_host: str, web: tuple[str, list[str]], remote: str, status: int, words: str
) -> None:
    actual, lines = build(practice_host, f"remote={quote(remote.format(web=web[0]), safe='')}")
    assert (actual, lines[0]["message"].startswith(words.format(web=web[0]))) == (status, True), lines
