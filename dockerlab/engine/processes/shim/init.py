"""A container's init, if `HostConfig.Init` asks for one: it passes signals on to the program, and reaps orphans.

It is this Python process, forked once more when it has given up everything that the program must not have: it has the
program's user, capabilities and seccomp filter, it can't be traced by the program, and its interpreter is a sealed copy
(see sealed_program.py). A static init such as tini would have to be on the machine, and would start more slowly.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

from dockerlab.engine.common import proc
from dockerlab.engine.processes import syscalls

#: Its command line in `top` and `ps`, as in Docker.
TITLE = ("/sbin/docker-init", "--")
#: Not passed on: signals for a fault of init itself, and job control, which the terminal sends to the program directly.
NOT_PASSED_ON = {
    *(signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS),
    *(signal.SIGTTIN, signal.SIGTTOU),
}
#: Places of fields in /proc/self/stat, see proc_pid_stat(5): where the command line begins and ends in memory.
ARG_START, ARG_END = 45, 46
HIGHEST_FD = 65536


def fork_init(argv: list[str], tty: bool) -> None:
    """Fork: the child returns and becomes the program; the parent is its init, and exits with the program's code."""
    blocked = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    ready, init_ready = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        os.close(init_ready)
        os.read(ready, 1)  # returns when init has closed every descriptor: then it handles signals
        os.close(ready)
        os.setpgid(0, 0)
        if tty:
            os.tcsetpgrp(0, os.getpid())
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGKILL)
        return
    try:
        for number in blocked:
            signal.signal(number, _never_called)  # so that SigCgt in /proc/PID/status shows that signals are taken
        with contextlib.suppress(OSError, ValueError, IndexError):
            _set_command_line([*TITLE, *argv])
        os.closerange(3, HIGHEST_FD)
        _serve(child, blocked)
    finally:
        os._exit(1)


def _never_called(*_: object) -> None:
    """Do nothing: all signals are blocked, and `_serve` waits for them."""


def _serve(child: int, blocked: set[signal.Signals]) -> None:
    """Pass signals on and reap, until the program ends."""
    while True:
        number = signal.sigwait(blocked)
        if number == signal.SIGCHLD:
            _reap(child)
        elif number not in NOT_PASSED_ON:
            with contextlib.suppress(OSError):
                os.kill(child, number)


def _reap(child: int) -> None:
    """Reap every child that has ended; exit when it is the program."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                os._exit(128 - code if code < 0 else code)


def _set_command_line(argv: list[str]) -> None:
    """Overwrite the memory from which the kernel reads this process's command line."""
    syscalls.set_name(os.path.basename(argv[0]))  # noqa: PTH119
    _, fields = proc.stat()
    start, end = int(fields[ARG_START]), int(fields[ARG_END])
    size = end - start
    if start > 0 and size > 0:
        text = "\0".join(argv).encode()[: size - 1]
        ctypes.memmove(start, text.ljust(size, b"\0"), size)
