"""Tars that tests send and receive: ordinary ones, hostile ones, and the plugin of the plugin tests."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

__all__ = [
    "PLUGIN_PYTHON", "VOLUME_DRIVER", "Member", "device", "directory", "link", "plugin_tar", "tar_of", "untar",
]  # fmt: skip

#: A file's name, content and, if it isn't 0644, its mode; a `TarInfo` for anything else.
Member = tuple[str, bytes] | tuple[str, bytes, int] | tarfile.TarInfo


def tar_of(*members: Member, form: int = tarfile.DEFAULT_FORMAT) -> bytes:
    """Return a tar. `form` is one of the formats that tarfile knows."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            header = tarfile.TarInfo(member[0])
            header.size = len(member[1])
            if len(member) > 2:
                header.mode = member[2]
            tar.addfile(header, io.BytesIO(member[1]))
    return buffer.getvalue()


def directory(name: str, mode: int = 0o755) -> tarfile.TarInfo:
    """Return a member that is a directory."""
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, mode
    return member


def device(name: str, major: int, minor: int, kind: bytes = tarfile.CHRTYPE) -> tarfile.TarInfo:
    """Return a member that is a device that everybody may read and write."""
    member = tarfile.TarInfo(name)
    member.type, member.devmajor, member.devminor, member.mode = kind, major, minor, 0o666
    return member


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return a member that is a symbolic link, or a hard one."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def untar(data: bytes) -> dict[str, bytes]:
    """Return the content of each regular file of a tar."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}  # type: ignore[union-attr]


# -- a plugin, as `docker plugin create` packs one: config.json and a rootfs ---------------------------------

#: The plugin's interface, as config.json names it.
VOLUME_DRIVER = "docker.volumedriver/1.0"
#: The rootfs has no programs. The plugin mounts /usr of the engine's machine read-only and runs its Python. So it needs
#: a privilege that has to be granted, and no download.
PLUGIN_PYTHON = "/usr/bin/python3"
DRIVER = Path(__file__).with_name("plugin_driver.py")
DIRECTORIES = ("dev", "etc", "proc", "run", "run/docker", "run/docker/plugins", "sys", "tmp", "usr", "volumes")
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}


def plugin_config(version: str) -> dict[str, Any]:
    """Return the content of config.json."""
    return {
        "description": f"Volumes for tests, version {version}",
        "documentation": "https://docs.docker.com/engine/extend/plugins_volume/",
        "entrypoint": [PLUGIN_PYTHON, "-I", "/driver.py"],
        "env": [
            {"name": "GREETING", "description": "what it says", "settable": ["value"], "value": "hello"},
            {"name": "VERSION", "description": "which one it is", "settable": None, "value": version},
        ],
        "interface": {"types": [VOLUME_DRIVER], "socket": "volumes.sock"},
        "linux": {"capabilities": ["CAP_CHOWN"], "allowAllDevices": False, "devices": None},
        "mounts": [
            {
                "name": "programs", "description": "Python", "source": "/usr", "destination": "/usr", "type": "bind",
                "options": ["rbind", "ro"], "settable": ["source"],
            }
        ],
        "network": {"type": "none"},
        "propagatedMount": "/volumes",
        "user": {},
        "workdir": "/",
    }  # fmt: skip


def plugin_tar(version: str) -> bytes:
    """Return the tar of one version of the plugin."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:

        def add(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname, info.mode = kind, len(data), target, 0o755
            tar.addfile(info, io.BytesIO(data))

        add("config.json", json.dumps(plugin_config(version)).encode())
        add("rootfs", kind=tarfile.DIRTYPE)
        for name in DIRECTORIES:
            add(f"rootfs/{name}", kind=tarfile.DIRTYPE)
        for name, target in LINKS.items():
            add(f"rootfs/{name}", kind=tarfile.SYMTYPE, target=target)
        add("rootfs/driver.py", DRIVER.read_bytes())
        add("rootfs/version", version.encode())  # a file that differs, so that two versions share no layer
    return buffer.getvalue()
