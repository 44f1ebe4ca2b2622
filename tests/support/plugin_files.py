"""A plugin as `docker plugin create` makes one: a tar of config.json and a rootfs, which here has a driver of volumes.

The rootfs has no programs of its own. The plugin asks for /usr of the engine's machine, to be read only, and runs its
Python: so it has a privilege to be granted, and needs nothing from elsewhere.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

__all__ = ["CAPABILITY", "PYTHON", "plugin_tar"]

CAPABILITY = "docker.volumedriver/1.0"
PYTHON = "/usr/bin/python3"
DRIVER = Path(__file__).with_name("volume_driver.py")
DIRECTORIES = ("dev", "etc", "proc", "run", "run/docker", "run/docker/plugins", "sys", "tmp", "usr", "volumes")
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}


def config(version: str) -> dict[str, Any]:
    """Give config.json."""
    return {
        "description": f"Volumes for tests, version {version}",
        "documentation": "https://docs.docker.com/engine/extend/plugins_volume/",
        "entrypoint": [PYTHON, "-I", "/driver.py"],
        "env": [
            {"name": "GREETING", "description": "what it says", "settable": ["value"], "value": "hello"},
            {"name": "VERSION", "description": "which one it is", "settable": None, "value": version},
        ],
        "interface": {"types": [CAPABILITY], "socket": "volumes.sock"},
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
    """Make the tar of a version of the plugin."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:

        def add(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname, info.mode = kind, len(data), link, 0o755
            tar.addfile(info, io.BytesIO(data))

        add("config.json", json.dumps(config(version)).encode())
        add("rootfs", kind=tarfile.DIRTYPE)
        for name in DIRECTORIES:
            add(f"rootfs/{name}", kind=tarfile.DIRTYPE)
        for name, link in LINKS.items():
            add(f"rootfs/{name}", kind=tarfile.SYMTYPE, link=link)
        add("rootfs/driver.py", DRIVER.read_bytes())
        add("rootfs/version", version.encode())  # so that two versions have no layer in common
    return buffer.getvalue()
