"""The shim: one small process a container, which starts it, keeps its log and its exit, and outlives the engine.

`python -S -m dockerlab.engine.processes.shim DIRECTORY` reads its spec.json, prints a line of JSON (the pid, or why
not), waits for the end of its input, and stays until the container has ended. It leaves `pid.json` and `exit.json`
there, and writes the log. An exec is the same: a shim whose process joins a container. A program of its own, with few
imports: it is started for every container.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from dockerlab.engine.common.proc import start_ticks
from dockerlab.engine.processes import linux
from dockerlab.engine.processes.shim import proot
from dockerlab.engine.processes.shim import terminal as shim_terminal
from dockerlab.engine.processes.shim.child import NOT_RUNNABLE, Refused, child
from dockerlab.engine.processes.shim.log import Log, now, save
from dockerlab.engine.processes.shim.watch import CHUNK, Streams, Watch, listen

WAIT_SECONDS, LAST_SECONDS = 60, 5
TRIED = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET | linux.CLONE_NEWPID


def start(spec: dict[str, Any]) -> tuple[int, Streams]:
    """Fork the program, or its tracer; give its pid and our ends of its streams. Raises Refused."""
    spaces = spec["namespaces"]
    joined = {name: os.open(path, os.O_RDONLY) for name, path in spaces.items() if path.startswith("/")}
    if spaces.get("pid") == "new":  # of the next child; most other namespaces are the child's business
        linux.unshare(linux.CLONE_NEWPID)
    elif "pid" in joined:
        linux.setns(joined["pid"], linux.CLONE_NEWPID)
    linux.control(linux.PR_SET_CHILD_SUBREAPER, 1)
    streams, handles = _stdio(spec)
    trouble, trouble_in = os.pipe()
    streams.verdict, link = os.pipe() if spec["tracer"] else (-1, -1)
    terminal = None
    if not handles:  # the child makes its terminal, and gives us the other end
        terminal, theirs = socket.socketpair()
        link = theirs.detach()
    pid = os.fork()
    if pid == 0:
        child(spec, handles, joined, trouble_in, link)
    for handle in {*handles, trouble_in, link, *joined.values()} - {-1}:
        os.close(handle)
    told = b"".join(iter(lambda: os.read(trouble, CHUNK), b""))
    os.close(trouble)
    if told:
        os.waitpid(pid, 0)
        raise Refused(*json.loads(told))
    if terminal is not None:
        other = shim_terminal.received(terminal)
        terminal.close()
        streams = Streams([other], other, True)
    return pid, streams


def _stdio(spec: dict[str, Any]) -> tuple[Streams, tuple[int, ...]]:
    """Make a terminal, or pipes: our ends, and the child's three; none if it makes its terminal by itself."""
    if spec["tty"]:
        if spec["namespaces"]:
            return Streams([], -1, True), ()
        ours, theirs = os.openpty()
        return Streams([ours], ours, True), (theirs, theirs, theirs)
    (out, out_in), (err, err_in) = os.pipe(), os.pipe()
    if spec["stdin"]:
        silence, stdin = os.pipe()
    else:
        silence, stdin = os.open("/dev/null", os.O_RDONLY), -1
    return Streams([out, err], stdin, False), (silence, out_in, err_in)


def main(directory: str) -> None:
    """Run one container."""
    with open(f"{directory}/spec.json") as file:  # noqa: PTH123
        spec = json.load(file)
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    log = Log(spec["log_path"], spec["log_size"], spec["log_files"], spec["log_attrs"])
    door = listen(directory)
    try:
        pid, streams = start(spec)
    except (Refused, OSError) as error:
        _say({"error": str(error), "code": getattr(error, "code", NOT_RUNNABLE)})
        return
    seen = proot.program(pid) if spec["tracer"] else pid
    shim = os.getpid()
    begun = {"pid": seen, "ticks": start_ticks(seen), "shim": shim, "shim_ticks": start_ticks(shim), "started": now()}
    save(f"{directory}/pid.json", begun)
    _say(begun)
    _until_told(pid)
    code = Watch(pid, streams, log, door).run(spec["beside"])
    if spec["tracer"]:
        proot.clear(pid)
    save(f"{directory}/exit.json", {"code": 128 - code if code < 0 else code, "finished": now()})


def _say(told: dict[str, Any]) -> None:
    """Tell the engine; if that has gone, the next one reads what lies in the directory."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(told), flush=True)  # noqa: T201


def _until_told(pid: int) -> None:
    """Wait until the engine has connected those who attached before the start; its end, too, ends the waiting.

    A program that has ended is waited for a little only: as long as it isn't taken leave of, its container can't end.
    """
    ended = os.pidfd_open(pid)
    if not select.select([0, ended], [], [], WAIT_SECONDS)[0] or not select.select([0], [], [], 0)[0]:
        select.select([0], [], [], LAST_SECONDS)
    os.close(ended)
    silence = os.open("/dev/null", os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(silence, handle)


def probe(rung: str, tracer: list[str]) -> None:
    """Try a rung's means, and end with 0 if they work."""
    if tracer:
        spec = {"tracer": tracer, "user": (0, 0), "rootfs": "/", "cwd": "/", "argv": ["/proc/sh", "-c", "true"]}
        os.dup2(1, proot.TELL)
        os.execv(tracer[0], proot.traced(spec, {}))  # noqa: S606
    if rung == "userns":
        uid, gid = os.getuid(), os.getgid()
        linux.unshare(linux.CLONE_NEWUSER)
        linux.map_root(uid, gid)
    linux.unshare(TRIED)
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
        probe(sys.argv[2], sys.argv[3:])
    else:
        main(sys.argv[1])
