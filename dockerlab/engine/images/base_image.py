"""Creates the base image on this machine: `busybox`, from the machine's own static busybox.

Times, owners and order are fixed, so the same binary gives the same image id on every machine.
"""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.engine.images import host_image
from dockerlab.engine.images.layers import chain_id
from dockerlab.engine.storage import rootfs, tar_writer

if TYPE_CHECKING:
    from dockerlab.engine.images.layers import Layers
    from dockerlab.engine.images.trees import Trees

__all__ = ["architecture", "create", "write_tree"]

CREATED, MTIME = "2024-01-01T00:00:00Z", 1704067200
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: The names of architectures in images, by the name that uname uses.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
PRIVATE, EXECUTABLE, STICKY, READABLE, SECRET = 0o700, 0o755, 0o1777, 0o644, 0o640

DIRECTORIES = {
    "bin": EXECUTABLE,
    "dev": EXECUTABLE,
    "etc": EXECUTABLE,
    "home": EXECUTABLE,
    "root": PRIVATE,
    "tmp": STICKY,
    "usr": EXECUTABLE,
    "usr/bin": EXECUTABLE,
    "usr/sbin": EXECUTABLE,
    "var": EXECUTABLE,
    "var/www": EXECUTABLE,
}
FILES = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
        "www-data:x:33:33:www-data:/var/www:/bin/false\n"
        "nobody:x:65534:65534:nobody:/home:/bin/false\n"
    ),
    "etc/group": "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:19723:0:99999:7:::\n",
}


def architecture() -> str:
    """Return this machine's architecture by the name that images use."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def create(busybox: str, layers: Layers, trees: Trees) -> bytes:
    """Add the image's layer and tree, and return its configuration.

    Without the path of a busybox, the image consists of this machine's own programs.
    """
    if busybox:
        layer = layers.add([_busybox_tar(busybox)])
        return _config(layer.diff_id, "busybox-static")
    tree = trees.root / f"new.{os.getpid()}"
    rootfs.discard(tree)
    write_tree("", tree)
    layer = layers.add(tar_writer.export(tree))
    trees.adopt(tree, chain_id([layer.diff_id]))
    return _config(layer.diff_id, "this machine's programs")


def write_tree(busybox: str, target: Path) -> None:
    """Write the image's file tree into a new directory."""
    _unpack(_busybox_tar(busybox), target)
    if not busybox:
        host_image.add_programs(target)


def _busybox_tar(busybox: str) -> bytes:
    """Return the image's files as a tar; without the path of a busybox only the directories and FILES."""
    if not busybox:
        return _tar(_members(b"", []))
    return _tar(_members(Path(busybox).read_bytes(), _applets(busybox)))


def _applets(busybox: str) -> list[str]:
    listing = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True, timeout=10)  # noqa: S603
    return [name for name in listing.stdout.split() if name != "busybox" and "/" not in name]


def _members(busybox: bytes, applets: list[str]) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yield the members of the tar: directories before their content, and the binary before the links to it."""
    entries = {name: (_info(name, tarfile.DIRTYPE, mode), b"") for name, mode in DIRECTORIES.items()}
    for name, text in FILES.items():
        mode = SECRET if name.endswith("shadow") else READABLE
        entries[name] = _info(name, tarfile.REGTYPE, mode, len(text)), text.encode()
    if busybox:
        entries["bin/busybox"] = _info("bin/busybox", tarfile.REGTYPE, EXECUTABLE, len(busybox)), busybox
    for applet in applets:
        entries[f"bin/{applet}"] = _info(f"bin/{applet}", tarfile.LNKTYPE, EXECUTABLE, target="bin/busybox"), b""
    for name in sorted(entries, key=lambda name: (name not in DIRECTORIES, name != "bin/busybox", name)):
        yield entries[name]


def _info(name: str, kind: bytes, mode: int, size: int = 0, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, size, target, MTIME
    return info


def _tar(members: Iterator[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _unpack(data: bytes, target: Path) -> None:
    """Unpack a tar from `_tar`, whose members need no checks, into a new directory."""
    target.mkdir(parents=True)
    directories = []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar:
            path = target / info.name
            if info.isdir():
                path.mkdir()
                directories.append((path, info.mode))
            elif info.islnk():
                os.link(target / info.linkname, path)
            else:
                content = tar.extractfile(info)
                path.write_bytes(content.read() if content else b"")
                path.chmod(info.mode)
                os.utime(path, (MTIME, MTIME))
    # Directories get their mode and time last, because writing into them changes their time.
    for path, mode in reversed(directories):
        path.chmod(mode)
        os.utime(path, (MTIME, MTIME))


def _config(diff_id: str, source: str) -> bytes:
    document = {
        "architecture": architecture(),
        "os": "linux",
        "created": CREATED,
        "config": {"Env": [f"PATH={DEFAULT_PATH}"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [
            {"created": CREATED, "created_by": f"ADD {source} / "},
            {"created": CREATED, "created_by": 'CMD ["sh"]', "empty_layer": True},
        ],
    }
    return json.dumps(document, sort_keys=True).encode()
