"""The shim: one small process per container, which starts it, writes its log and exit code, and outlives the engine.

`python -S -m dockerlab.engine.processes.shim DIRECTORY` reads spec.json there and prints one line of JSON: the pids, or
the reason why the start failed. It then waits for the end of its own input before it passes output on, and stays until
the container has ended. It leaves `pid.json` and `exit.json` in the directory, and writes the log. An exec has a shim
of its own, whose process joins the container. The shim is a separate program with few imports, since every start
waits for it.
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

from dockerlab.engine.common.proc import is_same_process, start_ticks
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.processes import syscalls
from dockerlab.engine.processes.shim import proot, terminal
from dockerlab.engine.processes.shim.child import PROC_OWNER, child
from dockerlab.engine.processes.shim.log import Log
from dockerlab.engine.processes.shim.refusal import NOT_RUNNABLE, NOT_STARTED, StartRefused
from dockerlab.engine.processes.shim.reserved_file import ReservedFile
from dockerlab.engine.processes.shim.watch import CHUNK, Streams, Watch, listen

MOST_LETTERS = 4096
ATTACH_SECONDS, LAST_ATTACH_SECONDS = 60, 5


def start(spec: dict[str, Any]) -> tuple[int, Streams]:
    """Fork the program, or its tracer; return its pid and the shim's ends of its streams. Raise StartRefused."""
    namespaces = spec["namespaces"]
    paths = {name: path for name, path in namespaces.items() if path.startswith("/")}
    if "pid" in paths and "mnt" not in paths:
        paths[PROC_OWNER] = f"{os.path.dirname(paths['pid'])}/mnt"  # noqa: PTH120
    joined = {name: os.open(path, os.O_RDONLY) for name, path in paths.items()}
    if not all(is_same_process(pid, ticks) for pid, ticks in spec["joined"].items()):
        raise StartRefused(f"{spec['error_prefix']}cannot join a container that has ended", NOT_STARTED)
    # a new pid namespace is that of the next child; the child creates the others, and joins all, itself
    if namespaces.get("pid") == "new":
        syscalls.unshare(syscalls.CLONE_NEWPID)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    streams, stdio = _stdio(spec)
    errors, child_errors = os.pipe()
    successor, child_successor = os.pipe()
    streams.exit_code_fd, link = os.pipe() if spec["tracer"] else (-1, -1)
    terminal_socket = None
    if not stdio:  # the child opens its terminal inside the container, and sends the other end through this socket
        terminal_socket, childs_socket = socket.socketpair()
        link = childs_socket.detach()
    pid = os.fork()
    if pid == 0:
        child(spec, stdio, joined, (child_errors, child_successor, link))
    for descriptor in {*stdio, child_errors, child_successor, link, *joined.values()} - {-1}:
        os.close(descriptor)
    refusal = b"".join(iter(lambda: os.read(errors, CHUNK), b""))  # ends when the program begins
    if "pid" in joined and (number := os.read(successor, CHUNK)):
        os.waitpid(pid, 0)
        pid = int(number)
    os.close(errors)
    os.close(successor)
    if refusal:
        os.waitpid(pid, 0)
        raise StartRefused(*json.loads(refusal))
    if terminal_socket is not None:
        our_end = terminal.receive(terminal_socket)
        terminal_socket.close()
        streams = Streams([our_end], our_end, True)
    return pid, streams


def _stdio(spec: dict[str, Any]) -> tuple[Streams, tuple[int, ...]]:
    """Create pipes or a terminal: the shim's ends, and the child's three; () if the child opens its own terminal."""
    if spec["tty"]:
        if spec["namespaces"]:
            return Streams([], -1, True), ()
        ours, childs = os.openpty()
        return Streams([ours], ours, True), (childs, childs, childs)
    (out, child_out), (err, child_err) = os.pipe(), os.pipe()
    if spec["stdin"]:
        child_in, stdin = os.pipe()
    else:
        child_in, stdin = os.open("/dev/null", os.O_RDONLY), -1
    return Streams([out, err], stdin, False), (child_in, child_out, child_err)


def main(directory: str) -> None:
    """Run one container, from its start to its end."""
    with open(f"{directory}/spec.json") as file:  # noqa: PTH123
        spec = json.load(file)
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    log = Log(spec["log_path"], spec["log_size"], spec["log_files"], spec["log_attrs"])
    listener = listen(directory)
    start_file, end_file = (ReservedFile(f"{directory}/{name}") for name in ("pid.json", "exit.json"))
    try:
        pid, streams = start(spec)
    except (StartRefused, OSError) as error:
        start_file.release()
        end_file.release()
        # The engine reads one line of limited length, and the reason may quote a path of an image.
        _report({"error": str(error)[:MOST_LETTERS], "code": getattr(error, "code", NOT_RUNNABLE)})
        return
    program, shim = proot.program(pid) if spec["tracer"] else pid, os.getpid()
    facts: dict[str, Any] = {
        "pid": program,
        "ticks": start_ticks(program),
        "shim": shim,
        "shim_ticks": start_ticks(shim),
    }
    facts["started"] = now()
    start_file.write(facts)
    _report(facts)
    _wait_for_clients(pid)
    code = Watch(pid, streams, log, listener).run(spec["container_pid"])
    if spec["tracer"]:
        proot.remove_leftovers(pid)
    end_file.write({"code": 128 - code if code < 0 else code, "finished": now()})


def _report(facts: dict[str, Any]) -> None:
    """Print a line for the engine. If the engine is gone, the next one reads pid.json and exit.json instead."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(facts), flush=True)  # noqa: T201


def _wait_for_clients(pid: int) -> None:
    """Wait until the engine has connected those who attached before the start: it then closes this process's input.

    If the program has ended already, the wait is short, because its container can't end before it is over.
    """
    program_end = os.pidfd_open(pid)
    if not select.select([0, program_end], [], [], ATTACH_SECONDS)[0] or not select.select([0], [], [], 0)[0]:
        select.select([0], [], [], LAST_ATTACH_SECONDS)
    os.close(program_end)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


if __name__ == "__main__":
    main(sys.argv[1])
