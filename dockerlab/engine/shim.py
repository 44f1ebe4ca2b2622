"""The shim: one small process a container, which starts it, keeps its log and its exit, and outlives the engine.

`python -S -m dockerlab.engine.shim DIRECTORY` reads its spec.json, prints a line of JSON (the pid, or why not), and
stays until the container has ended. It leaves `pid.json` and `exit.json` there, and writes the log. A program of its
own, with few imports: it is started for every container.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import sys
import time
from typing import Any

from dockerlab.engine import linux
from dockerlab.engine.mounts import enter_root

OWN = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET
CHUNK, LONGEST_LINE = 65536, 16384
NOT_FOUND, NOT_RUNNABLE = 127, 126
DRAIN_SECONDS = 1.0
STREAMS = ("stdout", "stderr")
WORDS = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)


class Refused(Exception):
    """The container can't be started: the engine's words, and the exit code that goes with them."""

    def __init__(self, text: str, code: int = NOT_FOUND) -> None:
        """Take the words and the code."""
        super().__init__(text)
        self.code = code


def now() -> str:
    """Write the moment as Docker's logs do, to the nanosecond."""
    seconds, rest = divmod(time.time_ns(), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def save(path: str, value: object) -> None:
    """Write JSON whole or not at all."""
    with open(path + ".new", "w") as file:  # noqa: PTH123
        json.dump(value, file)
    os.replace(path + ".new", path)  # noqa: PTH105


# -- the container's first process ---------------------------------------------------------------------------


def lookup(argv: list[str], env: dict[str, str]) -> str:
    """Find the program, as execvp does; raises Refused in Docker's words."""
    name = argv[0]
    places = [name] if "/" in name else [os.path.join(part, name) for part in env.get("PATH", "").split(":")]  # noqa: PTH118
    denied = False
    for place in places:
        if os.path.isdir(place):  # noqa: PTH112
            denied = True
        elif os.access(place, os.X_OK):
            return place
        elif os.path.exists(place):  # noqa: PTH110
            denied = True
    if os.path.isdir(name) and "/" in name:  # noqa: PTH112
        raise Refused(f'{WORDS}exec: "{name}": is a directory: permission denied', NOT_RUNNABLE)
    if denied and "/" in name:
        raise Refused(f'{WORDS}exec: "{name}": permission denied', NOT_RUNNABLE)
    if "/" in name:
        raise Refused(f'{WORDS}exec: "{name}": stat {name}: no such file or directory')
    raise Refused(f'{WORDS}exec: "{name}": executable file not found in $PATH')


def become(spec: dict[str, Any], outputs: tuple[int, int], tty: int | None) -> None:
    """Turn this fresh child into the container's first process. Returns only by raising."""
    os.setsid()
    linux.control(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if tty is not None:
        fcntl.ioctl(tty, 0x540E, 0)  # TIOCSCTTY
        outputs = (tty, tty)
    silence = os.open("/dev/null", os.O_RDONLY)
    env, root, rung = dict(spec["env"]), spec["rootfs"], spec["rung"]
    cwd = spec["cwd"] or "/"
    if rung == "plain":
        cwd = root + cwd
        bins = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
        env["PATH"] = ":".join([*(root + part for part in bins), env.get("PATH", "")])
    else:
        linux.unshare(OWN)
        enter_root(spec)
        linux.loopback_up()
    for place, handle in enumerate((tty if tty is not None else silence, *outputs)):
        os.dup2(handle, place)
    os.makedirs(cwd, exist_ok=True)  # noqa: PTH103
    os.chdir(cwd)
    if rung == "namespaces":
        linux.drop_capabilities()
    if spec["user"] != [0, 0] and rung != "plain":
        uid, gid = spec["user"]
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    path = lookup(spec["argv"], env)
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
    os.execve(path, spec["argv"], env)  # noqa: S606  (this is what a container is)


def start(spec: dict[str, Any]) -> tuple[int, list[int]]:
    """Fork the container; give its pid and what its outputs are read from. Raises Refused."""
    if spec["rung"] == "userns":
        uid, gid = os.getuid(), os.getgid()
        linux.unshare(linux.CLONE_NEWUSER)
        linux.map_root(uid, gid)
    if spec["rung"] != "plain":
        linux.unshare(linux.CLONE_NEWPID)  # of the next child; the other namespaces are the child's business
    linux.control(linux.PR_SET_CHILD_SUBREAPER, 1)
    tty = None
    if spec["tty"]:
        ours, tty = os.openpty()
        os.set_inheritable(tty, True)
        readers, writers = [ours], (tty, tty)
    else:
        (out, out_in), (err, err_in) = os.pipe(), os.pipe()
        readers, writers = [out, err], (out_in, err_in)
    trouble, trouble_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(spec, writers, tty)
        except Refused as refused:
            os.write(trouble_in, json.dumps([str(refused), refused.code]).encode())
        except OSError as error:
            code = NOT_RUNNABLE if error.errno in (errno.EACCES, errno.ENOEXEC) else NOT_FOUND
            reason = f'{WORDS}exec: "{spec["argv"][0]}": {str(error.strerror or error).lower()}'
            os.write(trouble_in, json.dumps([reason, code]).encode())
        finally:
            os._exit(NOT_FOUND)
    for handle in {*writers, trouble_in}:
        os.close(handle)
    told = b"".join(iter(lambda: os.read(trouble, CHUNK), b""))
    os.close(trouble)
    if told:
        os.waitpid(pid, 0)
        raise Refused(*json.loads(told))
    return pid, readers


# -- its log -------------------------------------------------------------------------------------------------


class Log:
    """Writes Docker's json-file: a record a line, long lines in pieces, bytes that aren't UTF-8 replaced."""

    def __init__(self, path: str) -> None:
        """Go on with the file, or begin it."""
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self.rest = dict.fromkeys(STREAMS, b"")

    def take(self, stream: str, data: bytes, end: bool = False) -> None:
        """Write the lines that are whole; at the end also what is left."""
        data = self.rest[stream] + data
        lines = data.split(b"\n")
        rest, moment, out = lines.pop(), now(), []
        pieces = [line + b"\n" for line in lines]
        while len(rest) >= LONGEST_LINE or (end and rest):
            pieces.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self.rest[stream] = rest
        for piece in pieces:
            for start in range(0, len(piece), LONGEST_LINE):
                text = piece[start : start + LONGEST_LINE].decode("utf-8", "replace")
                out.append(f'{{"log":{json.dumps(text)},"stream":"{stream}","time":"{moment}"}}\n')
        if out:
            data = "".join(out).encode()
            while data:
                data = data[os.write(self.file, data) :]


# -- watching ------------------------------------------------------------------------------------------------


def watch(pid: int, readers: list[int], log: Log) -> int:
    """Keep the log until the container has ended; give its exit code."""
    poller, names = select.poll(), dict(zip(readers, STREAMS))  # noqa: B905  (with a TTY there is one reader)
    for handle in readers:
        poller.register(handle, select.POLLIN | select.POLLHUP)
    ended = os.pidfd_open(pid)
    poller.register(ended, select.POLLIN)
    deadline: float | None = None
    while names or deadline is None:
        wait = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        events = poller.poll(wait)
        if deadline is not None and not events:
            break  # something that left the container still holds its output
        for handle, _ in events:
            if handle == ended:
                deadline = time.monotonic() + DRAIN_SECONDS
                poller.unregister(ended)
                end_the_rest(pid)
                continue
            data = read(handle)
            log.take(names[handle], data, end=not data)
            if not data:
                poller.unregister(handle)
                os.close(handle)
                del names[handle]
        reap(pid)
    for name in STREAMS:
        log.take(name, b"", end=True)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read(handle: int) -> bytes:
    """Read what is there; a terminal whose other side is closed answers with an error."""
    try:
        return os.read(handle, CHUNK)
    except OSError:
        return b""


def reap(init: int) -> None:
    """Take leave of adopted children, but not of the container's first process: its code is asked for later."""
    for child in children(os.getpid()):
        if child != init:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


def children(pid: int) -> list[int]:
    """Give the children of a process."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def end_the_rest(init: int) -> None:
    """Kill what the container's first process leaves: in namespaces the kernel does it, elsewhere we do."""
    for _ in range(100):
        rest = [child for child in children(os.getpid()) if child != init]
        if not rest:
            return
        for child in rest:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def ticks(pid: int) -> int:
    """Give the moment a process began, in the kernel's ticks: a pid alone may be somebody else's later."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return int(file.read().rpartition(")")[2].split()[19])


def main(directory: str) -> None:
    """Run one container."""
    with open(f"{directory}/spec.json") as file:  # noqa: PTH123
        spec = json.load(file)
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    log = Log(spec["log_path"])
    try:
        pid, readers = start(spec)
    except (Refused, OSError) as error:
        print(json.dumps({"error": str(error), "code": getattr(error, "code", NOT_RUNNABLE)}), flush=True)  # noqa: T201
        return
    begun = {"pid": pid, "ticks": ticks(pid), "shim": os.getpid(), "shim_ticks": ticks(os.getpid()), "started": now()}
    save(f"{directory}/pid.json", begun)
    print(json.dumps(begun), flush=True)  # noqa: T201
    silence = os.open("/dev/null", os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    code = watch(pid, readers, log)
    save(f"{directory}/exit.json", {"code": 128 - code if code < 0 else code, "finished": now()})


def probe(rung: str) -> None:
    """Try a rung's namespaces, and end with 0 if they work."""
    if rung == "userns":
        uid, gid = os.getuid(), os.getgid()
        linux.unshare(linux.CLONE_NEWUSER)
        linux.map_root(uid, gid)
    linux.unshare(OWN | linux.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        try:
            linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
            linux.mount("tmpfs", "/mnt" if os.path.isdir("/mnt") else "/tmp", "tmpfs")  # noqa: PTH112, S108
            linux.loopback_up()
            os._exit(0)
        finally:
            os._exit(1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    if sys.argv[1] == "--probe":
        probe(sys.argv[2])
    else:
        main(sys.argv[1])
