"""Builds: a Dockerfile with everything, steps that fail, and Dockerfiles that are refused."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from archives import link, tar_of
from plain_http import ask, container_output, json_lines, send_raw


def build(host: str, dockerfile: str, files: dict[str, bytes] | None = None, **query: str) -> list[dict[str, Any]]:
    context = tar_of(("Dockerfile", dockerfile.encode()), *(files or {}).items())
    status, data, _ = send_raw(host, "POST", f"/build?{urlencode(query)}", context)
    assert status == 200, data
    return json_lines(data)


def text_of(lines: list[dict[str, Any]]) -> str:
    return "".join(line.get("stream", "") for line in lines)


EVERYTHING = """
        # escape=\\
        ARG BASE=busybox
        FROM ${BASE} AS first
        ARG WHO=world
        ENV GREETING="hello  there" OTHER=${WHO:-nobody}
        WORKDIR /app/deep
        COPY data*.txt sub ./
        RUN echo "$GREETING $WHO" \\
            # a comment in between
            >said
        FROM first
        COPY --from=first /app/deep/said /copied
        ADD more.tar /unpacked/
        LABEL a=b "c d"="e f"
        USER 33
        CMD cat /copied
""".replace("\n        ", "\n").lstrip()


def test_a_build_with_most_instructions(practice_host: str, image_name: str, run: Any) -> None:
    files = {
        "data1.txt": b"1",
        "data2.txt": b"2",
        "sub/x": b"x",
        "ignored.log": b"-",
        ".dockerignore": b"*.log\n",
        "more.tar": tar_of(("inner", b"content")),
    }
    lines = build(practice_host, EVERYTHING, files, t=f"{image_name}:1", buildargs=json.dumps({"WHO": "you"}))
    assert "error" not in lines[-1], lines[-1]
    assert text_of(lines).endswith(f"Successfully tagged {image_name}:1\n")
    config = ask(practice_host, "GET", f"/images/{image_name}:1/json")[1]["Config"]
    assert {"GREETING=hello  there", "OTHER=you"} <= set(config["Env"])
    assert (config["Labels"], config["User"], config["WorkingDir"]) == ({"a": "b", "c d": "e f"}, "33", "/app/deep")
    script = "cat /copied; ls /app/deep; cat /unpacked/inner"
    container = run(f"{image_name}:1", ["sh", "-c", script])
    assert container_output(practice_host, container) == "hello  there you\ndata1.txt\ndata2.txt\nsaid\nx\ncontent"
    again = build(practice_host, EVERYTHING, files, t=f"{image_name}:1", buildargs=json.dumps({"WHO": "you"}))
    assert text_of(again).count("Using cache") == 10
    files["data1.txt"] = b"changed"
    changed = build(practice_host, EVERYTHING, files, buildargs=json.dumps({"WHO": "you"}))
    assert text_of(changed).count("Using cache") == 3


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("FROM busybox\nRUN exit 3\n", "The command '/bin/sh -c exit 3' returned a non-zero code: 3"),
        ("FROM busybox\nCOPY nosuch /\n", "COPY failed: file not found in build context or excluded by .dockerignore"),
        ("FROM busybox\nCOPY ../../../etc/passwd /\n", "COPY failed: forbidden path outside the build context"),
        ("FROM busybox\nCOPY --from=9 /a /\n", "invalid from flag value 9"),
        ("FROM nosuch.example/image\n", "pull access denied for nosuch.example/image"),
        ('FROM busybox\nENV X="${Y:?is needed}"\n', "Y: is needed"),
    ],
)
def test_steps_that_fail(practice_host: str, dockerfile: str, words: str) -> None:
    before = len(ask(practice_host, "GET", "/containers/json?all=1")[1])
    lines = build(practice_host, dockerfile, forcerm="1")
    assert words in lines[-1]["error"]
    assert (
        len(ask(practice_host, "GET", "/containers/json?all=1")[1]) <= before + 1
    )  # other tests may run at the same time


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("", "the Dockerfile (Dockerfile) cannot be empty"),
        ("FROM busybox\nRUM x\n", "dockerfile parse error on line 2: unknown instruction: RUM (did you mean RUN?)"),
        ("RUN x\n", "dockerfile parse error on line 1: no build stage in current context"),
        ("FROM busybox\nCOPY a\n", "COPY requires at least two arguments"),
        ("FROM busybox\nRUN --mount=type=cache x\n", "the --mount option requires BuildKit"),
        ("FROM busybox\nRUN <<EOF\nx\nEOF\n", "here-documents require BuildKit"),
        ("FROM busybox AS 1x\n", 'invalid name for build stage: "1x"'),
        ("FROM busybox extra\n", "FROM requires either one or three arguments"),
    ],
)
def test_invalid_dockerfiles(practice_host: str, dockerfile: str, words: str) -> None:
    status, data, _ = send_raw(practice_host, "POST", "/build", tar_of(("Dockerfile", dockerfile.encode())))
    assert status == 400
    assert words in json.loads(data)["message"]


def test_a_link_in_the_context_cannot_leave_it(practice_host: str) -> None:
    way = tarfile.TarInfo("way")
    way.type, way.linkname = tarfile.SYMTYPE, "/etc"
    context = tar_of(("Dockerfile", b"FROM busybox\nCOPY way/passwd /stolen\n"), way)
    lines = json_lines(send_raw(practice_host, "POST", "/build", context)[1])
    assert "file not found in build context" in lines[-1]["error"]


@pytest.mark.parametrize("name", ["etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv"])
def test_links_that_a_build_copies_lead_to_no_file_of_this_machine(
    practice_host: str, image_name: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("precious")
    dockerfile = f"FROM busybox\nCOPY files /\nRUN echo x >>/{name} || true\n"
    members = [("Dockerfile", dockerfile.encode()), link(f"files/{name}", str(tmp_path / "file"))]
    query = urlencode({"t": f"{image_name}:1"})
    status, data, _ = send_raw(practice_host, "POST", f"/build?{query}", tar_of(*members))
    assert status == 200
    assert "error" not in json_lines(data)[-1], json_lines(data)[-1]
    assert (tmp_path / "file").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
