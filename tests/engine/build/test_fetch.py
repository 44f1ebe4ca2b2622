"""What a build fetches: files that ADD names by a URL, and a context that is one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from archives import tar_of
from plain_http import ask, connection
from servers import web_server

CHANGED = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
CONTEXT = tar_of(("Dockerfile", b"FROM busybox\nCOPY word /word\nRUN cat /word\n"), ("word", b"from an archive\n"))
#: As bytes that no text has.
KINDS = {"Content-Type": "application/octet-stream"}
FILES = {
    "/a.txt": (b"hello\n", CHANGED),
    "/set.tar": (tar_of(("inside", b"x")), KINDS),
    "/moved": (b"", {"Location": "/a.txt"}),
    "/": (b"an index\n", {}),
    "/named/": (b"hello\n", {"Content-Disposition": 'attachment; filename="told.txt"'}),
    "/context.tgz": (gzip.compress(CONTEXT), KINDS),
    "/Dockerfile": (b"FROM busybox\nRUN echo alone\n", {}),
    "/needy": (b"FROM busybox\nCOPY a /a\n", {}),
    "/wrong": (b"helo there\n", {}),
}


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """Give the address of a web server with FILES, and the paths that are asked for."""
    with web_server(FILES) as served:
        yield served


def built(host: str, query: str = "", dockerfile: str = "") -> tuple[int, list[dict[str, Any]]]:
    """Build from a Dockerfile, or from what the query names; give the status and the lines."""
    opened = connection(host, timeout=60)
    body = tar_of(("Dockerfile", dockerfile.encode())) if dockerfile else None
    try:
        opened.request("POST", f"/build?rm=1&{query}", body=body, headers={"Content-Type": "application/x-tar"})
        answer = opened.getresponse()
        return answer.status, [json.loads(line) for line in answer.read().splitlines() if line.strip()]
    finally:
        opened.close()


def text(lines: list[dict[str, Any]]) -> str:
    """Give what a build prints."""
    return "".join(line.get("stream", "") for line in lines)


@pytest.fixture(autouse=True)
def no_image_stays(practice_host: str) -> Iterator[None]:
    """Remove the images that a test made."""
    before = {image["Id"] for image in ask(practice_host, "GET", "/images/json?all=1")[1]}
    yield
    for _ in range(5):
        for image in ask(practice_host, "GET", "/images/json?all=1")[1]:
            if image["Id"] not in before:
                ask(practice_host, "DELETE", f"/images/{image['Id']}?force=1")
    assert {image["Id"] for image in ask(practice_host, "GET", "/images/json?all=1")[1]} == before


def test_a_file_of_the_web_is_added(practice_host: str, web: tuple[str, list[str]]) -> None:
    steps = (
        f"FROM busybox\nADD {web[0]}/a.txt {web[0]}/set.tar {web[0]}/moved /y/\nRUN ls -ln --full-time /y; cat /y/*d\n"
    )
    status, lines = built(practice_host, dockerfile=steps)
    assert (status, [line for line in lines if "error" in line]) == (200, [])
    assert text(lines).count("-rw-------    1 0        0   ") == 3, "kept from others, and an archive stays one"
    assert "6 2024-01-01 00:00:00 +0000 a.txt\n" in text(lines)
    assert "1970-01-01 00:00:00 +0000 set.tar\n" in text(lines)
    assert "\nhello\n" in text(lines), "a redirection is followed, and the name is the one that was asked for"
    progress = [line for line in lines if line.get("status") == "Downloading"]
    assert progress[0]["progressDetail"] == {"current": 6, "total": 6}
    assert progress[0]["progress"] == f"[{'=' * 50}>]       6B/6B"


def test_the_same_file_is_fetched_again_and_the_step_is_not_done_again(
    practice_host: str, web: tuple[str, list[str]]
) -> None:
    steps = f"FROM busybox\nADD {web[0]}/a.txt /kept\n"
    first, second = text(built(practice_host, dockerfile=steps)[1]), text(built(practice_host, dockerfile=steps)[1])
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
def test_what_cannot_be_added_is_told(practice_host: str, web: tuple[str, list[str]], step: str, words: str) -> None:
    status, lines = built(practice_host, dockerfile=f"FROM busybox\n{step.format(web=web[0])}\n")
    assert status == 200
    assert lines[-1]["error"].startswith(words.format(web=web[0])), lines[-1]
    assert "Max retries" not in lines[-1]["error"]


def test_a_file_is_named_by_the_answer_if_the_url_has_no_name(practice_host: str, web: tuple[str, list[str]]) -> None:
    _, lines = built(practice_host, dockerfile=f"FROM busybox\nADD {web[0]}/named/ /y/\nRUN ls /y\n")
    assert "told.txt\n" in text(lines)


def test_a_context_of_the_web(practice_host: str, web: tuple[str, list[str]]) -> None:
    url = f"{web[0]}/context.tgz"
    status, lines = built(practice_host, f"remote={quote(url, safe='')}")
    assert (status, lines[0]["status"], lines[0]["id"]) == (200, url, "Downloading context")
    assert "from an archive\n" in text(lines)
    assert text(lines).splitlines()[-1].startswith("Successfully built ")


def test_a_dockerfile_of_the_web_is_a_whole_build(practice_host: str, web: tuple[str, list[str]]) -> None:
    status, lines = built(practice_host, f"remote={web[0]}/Dockerfile")
    assert (status, lines[1]) == (200, {})
    assert "alone\n" in text(lines)
    assert built(practice_host, f"remote={web[0]}/needy")[1][-1]["error"] == "COPY failed: missing build context"
    words = "dockerfile parse error on line 1: unknown instruction: helo (did you mean shell?)"
    assert built(practice_host, f"remote={web[0]}/wrong")[1][-1]["error"] == words


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
def test_a_context_that_cannot_be_fetched(
    practice_host: str, web: tuple[str, list[str]], remote: str, status: int, words: str
) -> None:
    found, lines = built(practice_host, f"remote={quote(remote.format(web=web[0]), safe='')}")
    assert (found, lines[0]["message"].startswith(words.format(web=web[0]))) == (status, True), lines
