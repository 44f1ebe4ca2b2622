"""Imports the images that a peer's tests need into an engine. All are created on this machine; nothing is pulled.

`busybox` is the practice engine's base image. `alpine` is the same with an additional user and directory, and `python`
is the same with this machine's interpreter. Each image also has a tag that no test knows, so that it can be tagged
again after a test has removed `alpine:latest`.
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

BACKUP_TAG = "kept.example/{}:latest"
#: Big parts of Python's library that the tests don't need.
EXCLUDED = {"test", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo", "site-packages", "dist-packages"}
LIBRARY_FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")


def image_tags(host: str) -> set[str]:
    """Return the tags of all images of an engine."""
    status, images = ask(host, "GET", "/images/json")
    if status != http.client.OK:
        raise SystemExit(f"{host} can't list its images, status {status}: {images}")
    return {tag for image in images for tag in image["RepoTags"] or []}


def restore_tags(host: str, images: dict[str, list[str]]) -> None:
    """Tag every image again that has lost one of its tags."""
    present = image_tags(host)
    for kind, tags in images.items():
        for repository, tag in (name.split(":") for name in tags if name not in present):
            target = urlencode({"repo": repository, "tag": tag})
            ask(host, "POST", f"/images/{quote(BACKUP_TAG.format(kind), safe='')}/tag?{target}")


def provide_images(host: str, images: dict[str, list[str]]) -> None:
    """Import the images that an engine doesn't have yet, and tag them. Those of a kind share one image."""
    present = image_tags(host)
    for kind in images:
        backup = BACKUP_TAG.format(kind)
        if backup in present:
            continue
        repository, tag = backup.split(":")
        if kind == "busybox" and "busybox:latest" in present:
            status, message = ask(host, "POST", f"/images/busybox/tag?{urlencode({'repo': repository, 'tag': tag})}")
        else:
            status, message = _create_image(host, kind, backup)
        if status >= http.client.BAD_REQUEST:
            print(f"the image {kind} can't be imported, status {status}: {message}", file=sys.stderr)
    restore_tags(host, images)


def _create_image(host: str, kind: str, name: str) -> tuple[int, object]:
    """Create the files of an image in a temporary directory, and import them."""
    with tempfile.TemporaryDirectory(prefix="peers-") as directory, tempfile.TemporaryFile() as file:
        root = Path(directory, "root")
        base_image.write_tree(host_programs.find_busybox(), root)
        if kind == "python":
            _copy_python(root)
        elif kind == "alpine":
            (root / "var/opt").mkdir(parents=True)
            with (root / "etc/passwd").open("a") as users:
                users.write("postgres:x:70:70:PostgreSQL:/var/lib/postgresql:/bin/sh\n")
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(root, ".")
        length = file.tell()
        file.seek(0)
        return _import_tar(host, file, length, name, "python3" if kind == "python" else "sh")


def _import_tar(host: str, file: io.BufferedIOBase, length: int, name: str, command: str) -> tuple[int, object]:
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


def _copy_python(root: Path) -> None:
    """Copy this interpreter, its library without the big parts, and the shared libraries that they need."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    target = root / "usr/lib" / library.name
    shutil.copytree(library, target, ignore=lambda _, names: {*names} & EXCLUDED | {"__pycache__"}, symlinks=False)
    shutil.copy2(program, root / "usr/bin/python3")
    (root / "usr/bin/python").symlink_to("python3")
    (root / "lib").mkdir(exist_ok=True)
    folders = [f"{folder}/{sysconfig.get_config_var('MULTIARCH')}" for folder in LIBRARY_FOLDERS] + [*LIBRARY_FOLDERS]
    folders.append(str(sysconfig.get_config_var("LIBDIR")))
    files = [program, *(library / "lib-dynload").glob("*.so")]
    while files:
        dependencies = host_programs.elf_dependencies(files.pop())
        if dependencies is None:
            continue
        paths = [
            next((Path(folder, name) for folder in folders if Path(folder, name).is_file()), None)
            for name in dependencies.libraries
        ]
        pairs = [(path.resolve(), root / "lib" / path.name) for path in paths if path]
        if dependencies.loader:
            pairs.append((Path(dependencies.loader).resolve(), root / dependencies.loader.lstrip("/")))
        for source, copy in pairs:
            if not copy.exists():
                copy.parent.mkdir(exist_ok=True)
                shutil.copy(source, copy)
                files.append(source)
