"""A container's init, where `HostConfig.Init` asks for one: it passes signals on, and takes leave of orphans."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

from dockerlab.engine.common import proc
from dockerlab.engine.processes import linux

#: What `top` and `ps` show it as, as they do in Docker.
TITLE = ("/sbin/docker-init", "--")
#: Signals that tell of a fault of init's own, and those for jobs of a terminal, whose foreground is the program.
KEPT = {signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
KEPT |= {signal.SIGTTIN, signal.SIGTTOU}
ARG_START = 45  #: of the fields of /proc/self/stat behind the name; the next one is the end
HANDLES = 65536


def accompany(argv: list[str], tty: bool) -> None:
    """Fork: the child returns, and becomes the program; the parent never returns, and ends with the program's code."""
    blocked = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    linux.control(linux.PR_SET_CHILD_SUBREAPER, 1)
    ready, ready_in = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        os.close(ready_in)
        os.read(ready, 1)  # ends when init has closed what isn't its own, and so is ready
        os.close(ready)
        os.setpgid(0, 0)
        if tty:
            os.tcsetpgrp(0, os.getpid())
        linux.control(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGKILL)
        return
    try:
        for number in blocked:
            signal.signal(number, _never)  # whoever looks sees that this process takes them
        with contextlib.suppress(OSError, ValueError, IndexError):
            _show_as([*TITLE, *argv])
        os.closerange(3, HANDLES)
        _look_after(child, blocked)
    finally:
        os._exit(1)


def _never(*_: object) -> None:
    """Handle nothing: all signals are blocked, and waited for."""


def _look_after(child: int, blocked: set[signal.Signals]) -> None:
    while True:
        number = signal.sigwait(blocked)
        if number == signal.SIGCHLD:
            _reap(child)
        elif number not in KEPT:
            with contextlib.suppress(OSError):
                os.kill(child, number)


def _reap(child: int) -> None:
    """Take leave of all that have ended; end with the program."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == child:
                code = os.waitstatus_to_exitcode(found[1])
                os._exit(128 - code if code < 0 else code)


def _show_as(words: list[str]) -> None:
    """Write over the place where the kernel reads this process's command line."""
    with open("/proc/self/comm", "w") as file:  # noqa: PTH123
        file.write(os.path.basename(words[0]))  # noqa: PTH119
    _, fields = proc.stat()
    start, room = int(fields[ARG_START]), int(fields[ARG_START + 1]) - int(fields[ARG_START])
    if start > 0 and room > 0:
        text = "\0".join(words).encode()[: room - 1]
        ctypes.memmove(start, text.ljust(room, b"\0"), room)
