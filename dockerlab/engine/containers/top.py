"""The process list of a container, as Docker makes it: `ps` of this machine, and of its lines the container's."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dockerlab.engine.common import proc
from dockerlab.engine.faults import BadParameter, Fault

__all__ = ["PsFailed", "top"]

SECONDS = 10
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
Table = tuple[list[str], list[list[str]]]


class PsFailed(Fault):
    """`ps` did not understand its arguments; Docker answers 500."""


def top(pids: list[int], ps_args: str) -> Table:
    """Give titles and processes. Raises BadParameter for unreadable arguments, PsFailed for those ps won't take."""
    try:
        words = shlex.split(ps_args or "-ef")
    except ValueError as error:
        raise BadParameter(f"ps_args can't be read: {error}") from None
    lines = _of(pids, words) if shutil.which("ps") else _own_ps(words, pids)
    return _filtered(lines, set(pids))


def _of(pids: list[int], words: list[str]) -> list[str]:
    """Ask for these processes alone; some options can't be used together with such a list."""
    try:
        return _ps([*words, "-q" + ",".join(map(str, pids))])
    except PsFailed:
        return _ps(words)


def _ps(words: list[str]) -> list[str]:
    # the list is of this machine's processes, so without a terminal's width
    ran = subprocess.run(  # noqa: S603
        ["ps", *words],  # noqa: S607
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
    )
    if ran.returncode:
        first = ran.stderr.strip().partition("\n")[0].removeprefix("error: ")
        raise PsFailed(f"ps: {first}" if not first.startswith("ps") else first)
    return ran.stdout.splitlines()


def _filtered(lines: list[str], pids: set[int]) -> Table:
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise PsFailed("Couldn't find PID field in ps output")
    place, width = titles.index("PID"), len(titles)
    processes = []
    for line in lines[1:]:
        fields = line.split(None, width - 1)
        if len(fields) > place and fields[place].isdigit() and int(fields[place]) in pids:
            fields[-1] = fields[-1].rstrip() if len(fields) == width else fields[-1]
            processes.append(fields + [""] * (width - len(fields)))
    return titles, processes


# -- where there is no ps ------------------------------------------------------------------------------------

FULL = ("uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd")
USER = ("user", "pid", "%cpu", "%mem", "vsz", "rss", "tty", "stat", "start", "time", "command")
TITLES = {"args": "COMMAND", "comm": "COMMAND", "tty": "TTY", "cmd": "CMD"}


def _own_ps(words: list[str], pids: list[int]) -> list[str]:
    """Do what ps does for the arguments that are asked for most: -ef, aux, and -o with a list of columns."""
    joined = " ".join(words)
    columns: tuple[str, ...]
    if joined in ("-ef", "-e -f", "ef", "-f"):
        columns = FULL
    elif joined in ("aux", "-aux", "au", "axu"):
        columns = USER
    elif "-o" in joined:
        listed = joined.partition("-o")[2].replace(",", " ").split()
        columns = tuple(name.partition("=")[0] for name in listed)
    else:
        raise PsFailed("this machine has no ps, and the practice engine reads -ef, aux and -o LIST only")
    unknown = [name for name in columns if name not in READERS]
    if unknown:
        raise PsFailed(f'ps: unknown user-defined format specifier "{unknown[0]}"')
    lines = [" ".join(TITLES.get(name, name.upper()) for name in columns)]
    for pid in pids:
        if (facts := _facts(pid)) is not None:
            lines.append(" ".join(READERS[name](facts) for name in columns))
    return lines


def _facts(pid: int) -> dict[str, str] | None:
    try:
        comm, fields = proc.stat(pid)
        args = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
        uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116
    except OSError:
        return None
    boot = time.time() - float(Path("/proc/uptime").read_text().split()[0])
    return {
        "pid": str(pid),
        "comm": comm,
        "args": args or f"[{comm}]",
        "stat": fields[0],
        "ppid": fields[1],
        "pgid": fields[2],
        "sid": fields[3],
        "ticks": str(int(fields[11]) + int(fields[12])),
        "vsz": str(int(fields[20]) // 1024),
        "rss": str(int(fields[21]) * PAGE_KIB),
        "began": str(boot + int(fields[19]) / TICKS),
        "user": _user(uid),
        "uid": str(uid),
    }


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _clock(facts: dict[str, str]) -> str:
    seconds = int(facts["ticks"]) // TICKS
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _began(facts: dict[str, str]) -> str:
    return time.strftime("%H:%M", time.localtime(float(facts["began"])))


READERS: dict[str, Callable[[dict[str, str]], str]] = {
    "uid": lambda facts: facts["user"],
    "user": lambda facts: facts["user"],
    "pid": lambda facts: facts["pid"],
    "ppid": lambda facts: facts["ppid"],
    "pgid": lambda facts: facts["pgid"],
    "sid": lambda facts: facts["sid"],
    "c": lambda facts: "0",
    "%cpu": lambda facts: "0.0",
    "%mem": lambda facts: "0.0",
    "vsz": lambda facts: facts["vsz"],
    "rss": lambda facts: facts["rss"],
    "tty": lambda facts: "?",
    "stat": lambda facts: facts["stat"],
    "state": lambda facts: facts["stat"],
    "s": lambda facts: facts["stat"],
    "stime": _began,
    "start": _began,
    "time": _clock,
    "comm": lambda facts: facts["comm"],
    "cmd": lambda facts: facts["args"],
    "args": lambda facts: facts["args"],
    "command": lambda facts: facts["args"],
}
