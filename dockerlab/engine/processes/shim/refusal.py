"""Why a program can't be started."""

from __future__ import annotations

import errno

#: Docker's exit codes of a container that could not be started: the reason is something that does not exist, something
#: that can't be executed, or anything else.
NOT_FOUND, NOT_RUNNABLE, NOT_STARTED = 127, 126, 128
CODES = {errno.ENOENT: NOT_FOUND, errno.ENOTDIR: NOT_FOUND, errno.EACCES: NOT_RUNNABLE, errno.ENOEXEC: NOT_RUNNABLE}
#: Docker adds this to every message with the reason ENOTDIR.
HINT = (
    ": Are you trying to mount a directory onto a file (or vice-versa)? "
    "Check if the specified host path exists and is the expected type"
)


class StartRefused(Exception):
    """The program can't be started: Docker's message, and the exit code that Docker gives the container."""

    def __init__(self, text: str, code: int = NOT_FOUND) -> None:
        super().__init__(text)
        self.code = code


def refused(text: str, error: OSError) -> StartRefused:
    """Return the refusal for a system call that failed; `text` says which one."""
    hint = HINT if error.errno == errno.ENOTDIR else ""
    return StartRefused(
        f"{text}: {str(error.strerror or error).lower()}{hint}", CODES.get(error.errno or 0, NOT_STARTED)
    )
