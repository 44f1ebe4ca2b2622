"""A directory of this machine that no engine has a reason to touch, and what an attack has changed of the machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import uuid
from pathlib import Path

from archives import tar_of

__all__ = ["ENGINE_SECRET", "SECRET_BYTES", "Canary"]

#: The secret files have this length, so that a response that has only their size is recognized, too.
SECRET_BYTES = 31_337
#: One file is so long that the size of a container that includes it is recognized. All but its beginning is a hole.
LARGE_BYTES = 16 << 20
#: So much of a file's content is compared; what is written further back changes its time, too.
COMPARED_BYTES = 1 << 16
#: Part of the environment of each practice engine that these tests start.
ENGINE_SECRET = f"environment-{uuid.uuid4().hex}"
HOST_DIRECTORIES = ("/", "/etc", "/dev")
HOST_FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
HOST_SETTINGS = (
    *("kernel/core_pattern", "kernel/panic", "kernel/sysrq", "kernel/modprobe", "kernel/hostname"),
    *("vm/dirty_expire_centisecs", "vm/panic_on_oom", "fs/file-max"),
)
#: The interpreter that runs the engine and its helpers.
INTERPRETER = Path(sys.executable).resolve()
State = dict[str, dict[str, object]]


class Canary:
    """Files with known content, and how they and the machine around them looked before the attack."""

    def __init__(self, data_root: str = "") -> None:
        """Create the files. `data_root` is the engine's own directory, which must not get new entries either."""
        self.path = Path(tempfile.mkdtemp(prefix="canary-"))
        self.secret, self.hidden_name = f"secret-{uuid.uuid4().hex}", f"hidden-{uuid.uuid4().hex}"
        self.data_root = data_root
        self._fill()
        self._host_files = {name: Path(name).read_bytes() for name in HOST_FILES if os.access(name, os.R_OK)}
        self._before = self._look()

    def _fill(self) -> None:
        line = f"{self.secret}\n"
        secret = (line * (SECRET_BYTES // len(line) + 1))[:SECRET_BYTES].encode()
        tar = tar_of(("inner", secret))
        root = {"type": "layers", "diff_ids": []}
        config = {"architecture": "amd64", "os": "linux", "author": self.secret, "config": {}, "rootfs": root}
        files = {
            "secret": secret,
            "victim": b"unchanged\n",
            "directory/secret": secret,
            "directory/inner": line.encode(),
            "directory/large": line.encode(),
            f"directory/{self.hidden_name}": b"",
            "directory/inside/file": line.encode(),
            "etc/passwd": f"root:x:0:0:{self.secret}:/:/bin/sh\nspy:x:4242:4242:{self.secret}:/:/bin/sh\n".encode(),
            "etc/group": b"root:x:0:\nspies:x:4242:spy\n",
            "etc/hosts": line.encode(), "etc/hostname": line.encode(), "etc/resolv.conf": line.encode(),
            "program": f"#!/bin/sh\necho {self.secret}\n".encode(),
            "archive.tar": tar, "layer.tar": tar,
            "Dockerfile": f"FROM busybox\nLABEL read={self.secret}\n".encode(),
            "dockerignore": b"ordinary\n",
            "config.json": json.dumps(config).encode(),
        }  # fmt: skip
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o755 if name == "program" else 0o640)
        os.truncate(self.path / "directory/large", LARGE_BYTES)
        (self.path / "empty").mkdir()

    def __str__(self) -> str:
        """Return the path of the directory, without a slash at its end."""
        return str(self.path)

    @property
    def secrets(self) -> list[bytes]:
        """Texts that no response may have in it."""
        return [text.encode() for text in (self.secret, self.hidden_name, ENGINE_SECRET)]

    def remove(self) -> None:
        """Remove the files, and undo what an attack has changed of the machine.

        Files like /etc/passwd stay as they are, because it may have been the machine's user who changed them.
        """
        before, now = self._before, self._look()
        if now[str(INTERPRETER)] != before[str(INTERPRETER)]:
            INTERPRETER.chmod(int(str(before[str(INTERPRETER)]["mode"]), 8))
        for name, content in self._host_files.items():
            if now.get(f"{name} of the host") != before[f"{name} of the host"]:
                copy = Path(tempfile.mkdtemp(prefix="before-attack-"), Path(name).name)
                copy.write_bytes(content)
                print(f"{name} was changed during an attack. If you did not change it, restore it: cp {copy} {name}")
        for name in HOST_SETTINGS:
            if (value := before.get(f"/proc/sys/{name}")) and value != now[f"/proc/sys/{name}"]:
                Path("/proc/sys", name).write_text(str(value["value"]))
        shutil.rmtree(self.path, ignore_errors=True)

    # -- what has changed ------------------------------------------------------------------------------------

    def differences(self) -> list[str]:
        """Return one sentence for each trace of the attack."""
        before, now = self._before, self._look()
        sentences = [f"{name} is new" for name in sorted(now.keys() - before.keys())]
        sentences += [f"{name} was removed" for name in sorted(before.keys() - now.keys())]
        for name in sorted(before.keys() & now.keys()):
            sentences += [
                f"{name}: its {what} was {value!r} and is {now[name].get(what)!r}"
                for what, value in before[name].items()
                if now[name].get(what) != value
            ]
        return sentences

    def _look(self) -> State:
        state: State = {}
        for directory, folders, files in os.walk(self.path):
            for name in (".", *folders, *files):
                path = Path(directory, name)
                state[str(path)] = _status(path) | _content(path)
        for folder in (*HOST_DIRECTORIES, self.data_root, os.path.dirname(self.data_root)):  # noqa: PTH120
            if folder and os.access(folder, os.R_OK):
                state |= {os.path.join(folder, name): {} for name in os.listdir(folder)}  # noqa: PTH118, PTH208
        for name in HOST_FILES:
            with contextlib.suppress(OSError):
                state[f"{name} of the host"] = _host_file(Path(name))
        for name in HOST_SETTINGS:
            with contextlib.suppress(OSError):
                state[f"/proc/sys/{name}"] = {"value": Path("/proc/sys", name).read_text()}
        state[str(INTERPRETER)] = _status(INTERPRETER)
        mounts = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
        state |= {f"a mount on {line.split()[4]}": {} for line in mounts if f" {self.path}" in line}
        return state


def _status(path: Path) -> dict[str, object]:
    info = path.lstat()
    return {
        "mode": oct(info.st_mode & 0o7777), "type": stat.S_IFMT(info.st_mode), "owner": (info.st_uid, info.st_gid),
        "time": info.st_mtime_ns, "time of change": info.st_ctime_ns, "number of links": info.st_nlink,
        "size": info.st_size,
    }  # fmt: skip


def _host_file(path: Path) -> dict[str, object]:
    """Return what an attack could change of a file that this machine needs.

    Its times are left out: another run of these tests that restores the file changes them, too. If that counted as an
    attack, each run would then restore the file after the other one, for ever.
    """
    info = path.stat()
    content = hashlib.sha256(path.read_bytes()).hexdigest() if os.access(path, os.R_OK) else ""
    return {"mode": info.st_mode, "owner": (info.st_uid, info.st_gid), "size": info.st_size, "content": content}


def _content(path: Path) -> dict[str, object]:
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in _attributes(path)}
    content = b""
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            content = file.read(COMPARED_BYTES)
    return {"attributes": attributes, "content": hashlib.sha256(content).hexdigest()}


def _attributes(path: Path) -> list[str]:
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError:  # this file system has none
        return []
