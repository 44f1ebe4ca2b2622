"""The process list of a container, as Docker makes it: those lines of this machine's `ps` that belong to it."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dockerlab.engine.common import proc
from dockerlab.engine.faults import Fault

__all__ = ["PsFailed", "top"]

PS_SECONDS = 10
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
#: What Go calls white space in a regular expression. Other spaces are parts of a word.
SPACES = " \t\n\f\r"
#: A column with a header that can be taken for the one of the process ids.
RENAMED = re.compile(rf"(?<![{SPACES}])[{SPACES}]++([^{SPACES}]*)=[{SPACES}]*+(PID[^{SPACES}]*+)")
NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
Table = tuple[list[str], list[list[str]]]


class PsFailed(Fault):
    """`ps` did not accept its arguments; Docker sends status 500."""


def top(pids: list[int], ps_args: str) -> Table:
    """Return the titles and the processes. Raises PsFailed if Docker or ps refuses the arguments."""
    for column, header in RENAMED.findall(ps_args):
        if column != "pid":
            raise PsFailed(f'specifying "{column}={header}" is not allowed')
    arguments = _words(ps_args) or ["-ef"]  # Docker knows no quotes
    lines = _ps_for(pids, arguments) if shutil.which("ps") else _builtin_ps(arguments, pids)
    return _select(lines, set(pids))


def _words(text: str) -> list[str]:
    return [word for word in re.split(f"[{SPACES}]", text) if word]


def _ps_for(pids: list[int], arguments: list[str]) -> list[str]:
    """Run ps for these processes only, or for all of them if the arguments don't allow a list of processes."""
    try:
        return _ps([*arguments, "-q" + ",".join(map(str, pids))])
    except PsFailed:
        return _ps(arguments)


def _ps(arguments: list[str]) -> list[str]:
    """Run ps without a terminal, whose width would cut the lines."""
    result = subprocess.run(  # noqa: S603
        ["ps", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PS_SECONDS,
        check=False,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
    )
    if result.returncode:
        first = result.stderr.partition("\n")[0] or f"exit status {result.returncode}"
        raise PsFailed(f"ps: {first}")
    return result.stdout.split("\n")


def _select(lines: list[str], pids: set[int]) -> Table:
    """Split the lines of ps into fields, and keep the processes of the container.

    With some arguments, ps has a line without a pid for each thread, after the line of the process.
    """
    titles = _words(lines[0]) if lines else []
    if "PID" not in titles:
        raise PsFailed("Couldn't find PID field in ps output")
    column, last = titles.index("PID"), len(titles) - 1
    processes, is_ours = [], False
    for fields in map(_words, lines[1:]):
        if len(fields) <= column:
            continue
        pid = fields[column]
        if pid != "-":
            if not NUMBER.fullmatch(pid):
                raise PsFailed(f"Unexpected pid '{pid}': strconv.Atoi: parsing \"{pid}\": invalid syntax")
            is_ours = int(pid) in pids
        if is_ours:
            row = [*fields[:last], " ".join(fields[last:])]
            processes.append(row + [""] * (len(titles) - len(row)))
    return titles, processes


# -- for machines without ps -----------------------------------------------------------------------------------

FULL_COLUMNS = ("uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd")
USER_COLUMNS = ("user", "pid", "%cpu", "%mem", "vsz", "rss", "tty", "stat", "start", "time", "command")
TITLES = {"args": "COMMAND", "comm": "COMMAND", "tty": "TTY", "cmd": "CMD"}


def _builtin_ps(arguments: list[str], pids: list[int]) -> list[str]:
    """Return what ps prints for its most frequent arguments: -ef, aux, and -o with a list of columns."""
    joined = " ".join(arguments)
    columns: list[tuple[str, str]]
    if joined in ("-ef", "-e -f", "ef", "-f"):
        columns = [_column(name) for name in FULL_COLUMNS]
    elif joined in ("aux", "-aux", "au", "axu"):
        columns = [_column(name) for name in USER_COLUMNS]
    elif "-o" in joined:
        columns = _requested_columns(_words(joined.partition("-o")[2]))
    else:
        raise PsFailed("this machine has no ps: the practice engine itself supports -ef, aux and -o LIST only")
    unknown = [name for name, _ in columns if name not in FORMATS]
    if unknown:
        raise PsFailed(f'ps: error: unknown user-defined format specifier "{unknown[0]}"')
    lines = [" ".join(title for _, title in columns)]
    for pid in pids:
        if (facts := _facts(pid)) is not None:
            lines.append(" ".join(FORMATS[name](facts) for name, _ in columns))
    return lines


def _requested_columns(words: list[str]) -> list[tuple[str, str]]:
    """Return the columns of `-o pid,comm=TITLE`, with their titles. A title extends to the end of its word."""
    columns = []
    for word in words:
        names, equals, title = word.removeprefix("-o").partition("=")
        requested = [_column(name) for name in names.split(",") if name]
        if equals and requested:
            requested[-1] = (requested[-1][0], title)
        columns += requested
    return columns


def _column(name: str) -> tuple[str, str]:
    return name, TITLES.get(name, name.upper())


def _facts(pid: int) -> dict[str, str] | None:
    """Return what /proc says about a process, or None if it has ended."""
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
        "stat": fields[proc.STATE],
        "ppid": fields[proc.PARENT],
        "pgid": fields[proc.GROUP],
        "sid": fields[proc.SESSION],
        "ticks": str(int(fields[proc.USER_TICKS]) + int(fields[proc.SYSTEM_TICKS])),
        "vsz": str(int(fields[proc.VIRTUAL_BYTES]) // 1024),
        "rss": str(int(fields[proc.RESIDENT_PAGES]) * PAGE_KIB),
        "start": str(boot + int(fields[proc.START_TICKS]) / TICKS_PER_SECOND),
        "user": _user_name(uid),
    }


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _cpu_time(facts: dict[str, str]) -> str:
    seconds = int(facts["ticks"]) // TICKS_PER_SECOND
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _start_time(facts: dict[str, str]) -> str:
    return time.strftime("%H:%M", time.localtime(float(facts["start"])))


FORMATS: dict[str, Callable[[dict[str, str]], str]] = {
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
    "stime": _start_time,
    "start": _start_time,
    "time": _cpu_time,
    "comm": lambda facts: facts["comm"],
    "cmd": lambda facts: facts["args"],
    "args": lambda facts: facts["args"],
    "command": lambda facts: facts["args"],
}
