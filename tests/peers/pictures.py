"""Puts the images that a peer's tests want into an engine: nothing is pulled, all are made on this machine.

`busybox` is the practice engine's own base image; `alpine` is the same with a user and a directory that only that image
has, `python` the same with this machine's interpreter. Each is kept under a name of ours, so that a test that removes
`alpine:latest` doesn't take it from the tests after it.
"""

from __future__ import annotations

import http.client
import io
import shutil
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import quote, urlencode

from plain_http import ask, connection

from dockerlab.engine.common import host_programs
from dockerlab.engine.images import base_image

KEPT = "kept.example/{}:latest"
UNWANTED = {"test", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo", "site-packages", "dist-packages"}
LIBRARIES = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")


def names(host: str) -> set[str]:
    """Give the names of all images that an engine has."""
    status, images = ask(host, "GET", "/images/json")
    if status != http.client.OK:
        raise SystemExit(f"{host} answers {status} to a list of images: {images}")
    return {name for image in images for name in image["RepoTags"] or []}


def restore(host: str, wanted: dict[str, list[str]]) -> None:
    """Give every image that has lost a name this name again."""
    here = names(host)
    for kind, tags in wanted.items():
        for repository, tag in (name.split(":") for name in tags if name not in here):
            target = urlencode({"repo": repository, "tag": tag})
            ask(host, "POST", f"/images/{quote(KEPT.format(kind), safe='')}/tag?{target}")


def provide(host: str, wanted: dict[str, list[str]]) -> None:
    """Bring the images that are wanted into an engine, once."""
    here = names(host)
    for kind in wanted:
        kept = KEPT.format(kind)
        if kept in here:
            continue
        repository, tag = kept.split(":")
        if kind == "busybox" and "busybox:latest" in here:
            status, told = ask(host, "POST", f"/images/busybox/tag?{urlencode({'repo': repository, 'tag': tag})}")
        else:
            status, told = _load(host, kind, kept)
        if status >= http.client.BAD_REQUEST:
            print(f"no image {kind}: the engine answers {status} {told}", file=sys.stderr)
    restore(host, wanted)


def _load(host: str, kind: str, name: str) -> tuple[int, object]:
    """Import a tree, made here, as an image."""
    with tempfile.TemporaryDirectory(prefix="peers-") as place, tempfile.TemporaryFile() as file:
        root = Path(place, "root")
        base_image.write_tree(host_programs.find_busybox(), root)
        if kind == "python":
            _python(root)
        elif kind == "alpine":
            (root / "var/opt").mkdir(parents=True)
            with (root / "etc/passwd").open("a") as users:
                users.write("postgres:x:70:70:PostgreSQL:/var/lib/postgresql:/bin/sh\n")
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(root, ".")
        length = file.tell()
        file.seek(0)
        return _send(host, file, length, name, "python3" if kind == "python" else "sh")


def _send(host: str, file: io.BufferedIOBase, length: int, name: str, command: str) -> tuple[int, object]:
    repository, tag = name.split(":")
    changes = [("changes", f'CMD ["{command}"]'), ("changes", f"ENV PATH={base_image.DEFAULT_PATH}")]
    query = urlencode([("fromSrc", "-"), ("repo", repository), ("tag", tag), *changes])
    opened = connection(host, timeout=120)
    try:
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(length)}
        opened.request("POST", f"/images/create?{query}", body=file, headers=headers)
        answer = opened.getresponse()
        return answer.status, answer.read()[:300].decode("utf-8", "replace")
    finally:
        opened.close()


def _python(root: Path) -> None:
    """Copy this interpreter, its library without the big parts, and what they link."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    target = root / "usr/lib" / library.name
    shutil.copytree(library, target, ignore=lambda _, found: {*found} & UNWANTED | {"__pycache__"}, symlinks=False)
    shutil.copy2(program, root / "usr/bin/python3")
    (root / "usr/bin/python").symlink_to("python3")
    (root / "lib").mkdir(exist_ok=True)
    usual = [f"{place}/{sysconfig.get_config_var('MULTIARCH')}" for place in LIBRARIES] + [*LIBRARIES]
    usual.append(str(sysconfig.get_config_var("LIBDIR")))
    todo = [program, *(library / "lib-dynload").glob("*.so")]
    while todo:
        wanted = host_programs.elf_dependencies(todo.pop())
        if wanted is None:
            continue
        places = [
            next((Path(place, name) for place in usual if Path(place, name).is_file()), None)
            for name in wanted.libraries
        ]
        pairs = [(place.resolve(), root / "lib" / place.name) for place in places if place]
        if wanted.loader:
            pairs.append((Path(wanted.loader).resolve(), root / wanted.loader.lstrip("/")))
        for source, copy in pairs:
            if not copy.exists():
                copy.parent.mkdir(exist_ok=True)
                shutil.copy(source, copy)
                todo.append(source)
