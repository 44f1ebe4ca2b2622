"""Makes the one image there is, on this machine: `busybox` around the machine's own static busybox.

Times, owners and order are fixed, so that one binary gives one image id, wherever it is made.
"""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.engine.images import host_image
from dockerlab.engine.images.layers import chain
from dockerlab.engine.storage import tar_writer

if TYPE_CHECKING:
    from dockerlab.engine.images.layers import Layers
    from dockerlab.engine.images.trees import Trees

__all__ = ["architecture", "make", "plant"]

CREATED, MTIME = "2024-01-01T00:00:00Z", 1704067200
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
PRIVATE, OPEN, STICKY, PLAIN = 0o700, 0o755, 0o1777, 0o644

DIRECTORIES = {
    "bin": OPEN,
    "dev": OPEN,
    "etc": OPEN,
    "home": OPEN,
    "root": PRIVATE,
    "tmp": STICKY,
    "usr": OPEN,
    "usr/bin": OPEN,
    "usr/sbin": OPEN,
    "var": OPEN,
    "var/www": OPEN,
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
    """Give this machine's kind as images name it."""
    machine = platform.machine()
    return MACHINES.get(machine, machine)


def make(busybox: str, layers: Layers, trees: Trees) -> bytes:
    """Make the image's layer and tree, and give its configuration.

    Without a busybox it is made from this machine's own programs.
    """
    if busybox:
        layer = layers.add([_archive(_members(Path(busybox).read_bytes(), _applets(busybox)))])
        return _config(layer.diff_id, "busybox-static")
    beside = trees.root / f"new.{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    _unpack(_archive(_members(b"", [])), beside)
    host_image.build(beside)
    layer = layers.add(tar_writer.export(beside))
    trees.adopt(beside, chain([layer.diff_id]))
    return _config(layer.diff_id, "this machine's programs")


def plant(busybox: str, target: Path) -> None:
    """Make the image's tree in a directory that isn't there yet: what others are made from."""
    _unpack(
        _archive(_members(Path(busybox).read_bytes() if busybox else b"", _applets(busybox) if busybox else [])), target
    )
    if not busybox:
        host_image.build(target)


def _applets(busybox: str) -> list[str]:
    ran = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True, timeout=10)  # noqa: S603
    return [name for name in ran.stdout.split() if name != "busybox" and "/" not in name]


def _members(data: bytes, applets: list[str]) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Directories before what lies in them, the binary before its links."""
    entries = {name: (_info(name, tarfile.DIRTYPE, mode), b"") for name, mode in DIRECTORIES.items()}
    for name, text in FILES.items():
        mode = 0o640 if name.endswith("shadow") else PLAIN
        entries[name] = _info(name, tarfile.REGTYPE, mode, len(text)), text.encode()
    if data:
        entries["bin/busybox"] = _info("bin/busybox", tarfile.REGTYPE, OPEN, len(data)), data
    for applet in applets:
        entries[f"bin/{applet}"] = _info(f"bin/{applet}", tarfile.LNKTYPE, OPEN, target="bin/busybox"), b""
    for name in sorted(entries, key=lambda name: (name not in DIRECTORIES, name != "bin/busybox", name)):
        yield entries[name]


def _info(name: str, kind: bytes, mode: int, size: int = 0, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, size, target, MTIME
    return info


def _archive(members: Iterator[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _unpack(layer: bytes, target: Path) -> None:
    """Unpack a layer that we have just made ourselves."""
    target.mkdir(parents=True)
    directories = []
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
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
    for path, mode in reversed(directories):
        path.chmod(mode)
        os.utime(path, (MTIME, MTIME))


def _config(digest: str, source: str) -> bytes:
    document = {
        "architecture": architecture(),
        "os": "linux",
        "created": CREATED,
        "config": {"Env": [PATH], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "history": [
            {"created": CREATED, "created_by": f"ADD {source} / "},
            {"created": CREATED, "created_by": 'CMD ["sh"]', "empty_layer": True},
        ],
    }
    return json.dumps(document, sort_keys=True).encode()
