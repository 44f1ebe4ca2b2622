"""Loads the images that a peer's tests need into an engine. All are made on this machine, and nothing is pulled.

`busybox` is the base image of the practice engine. `alpine` is the same with an additional user and directory, `python`
the same with this machine's interpreter. Each image also has a second name, under which it remains when a test removes
`alpine:latest`.
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

SECOND_NAME = "kept.example/{}:latest"
LEFT_OUT = {"test", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo", "site-packages", "dist-packages"}
LIBRARIES = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")


def names(host: str) -> set[str]:
    """Return the names of all images of an engine."""
    status, images = ask(host, "GET", "/images/json")
    if status != http.client.OK:
        raise SystemExit(f"{host} answers {status} to a list of images: {images}")
    return {name for image in images for name in image["RepoTags"] or []}


def restore(host: str, images: dict[str, list[str]]) -> None:
    """Tag every image again that has lost one of its names."""
    existing = names(host)
    for kind, tags in images.items():
        for repository, tag in (name.split(":") for name in tags if name not in existing):
            target = urlencode({"repo": repository, "tag": tag})
            ask(host, "POST", f"/images/{quote(SECOND_NAME.format(kind), safe='')}/tag?{target}")


def provide(host: str, images: dict[str, list[str]]) -> None:
    """Load the images into an engine, unless it has them already."""
    existing = names(host)
    for kind in images:
        name = SECOND_NAME.format(kind)
        if name in existing:
            continue
        repository, tag = name.split(":")
        if kind == "busybox" and "busybox:latest" in existing:
            status, response = ask(host, "POST", f"/images/busybox/tag?{urlencode({'repo': repository, 'tag': tag})}")
        else:
            status, response = _load(host, kind, name)
        if status >= http.client.BAD_REQUEST:
            print(f"no image {kind}: the engine answers {status} {response}", file=sys.stderr)
    restore(host, images)


def _load(host: str, kind: str, name: str) -> tuple[int, object]:
    """Make a root file system, and import it as an image."""
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
    client = connection(host, timeout=120)
    try:
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(length)}
        client.request("POST", f"/images/create?{query}", body=file, headers=headers)
        response = client.getresponse()
        return response.status, response.read()[:300].decode("utf-8", "replace")
    finally:
        client.close()


def _python(root: Path) -> None:
    """Copy this interpreter, its standard library without large parts, and the linked libraries."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    target = root / "usr/lib" / library.name
    shutil.copytree(library, target, ignore=lambda _, entries: {*entries} & LEFT_OUT | {"__pycache__"}, symlinks=False)
    shutil.copy2(program, root / "usr/bin/python3")
    (root / "usr/bin/python").symlink_to("python3")
    (root / "lib").mkdir(exist_ok=True)
    folders = [f"{folder}/{sysconfig.get_config_var('MULTIARCH')}" for folder in LIBRARIES] + [*LIBRARIES]
    folders.append(str(sysconfig.get_config_var("LIBDIR")))
    pending = [program, *(library / "lib-dynload").glob("*.so")]
    while pending:
        dependencies = host_programs.elf_dependencies(pending.pop())
        if dependencies is None:
            continue
        paths = [
            next((Path(folder, name) for folder in folders if Path(folder, name).is_file()), None)
            for name in dependencies.libraries
        ]
        pairs = [(folder.resolve(), root / "lib" / folder.name) for folder in paths if folder]
        if dependencies.loader:
            pairs.append((Path(dependencies.loader).resolve(), root / dependencies.loader.lstrip("/")))
        for source, copy in pairs:
            if not copy.exists():
                copy.parent.mkdir(exist_ok=True)
                shutil.copy(source, copy)
                pending.append(source)
