"""One client under test in a process of its own: takes tasks as lines of JSON, answers with what each of them cost.

    python tests/bench/worker.py NAME      NAME is that of a module beside this one: client_NAME.py

So a client runs in an environment of its own, and neither its imports nor its start are in any figure. This module
needs the standard library alone. The first line on its input tells what there is on the engine, see `stock`; each of
the others is `{"task": NAME}`: a method of the client, which gives the size of what it read.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main() -> None:
    """Do what comes until the input ends."""
    facts = json.loads(sys.stdin.readline())
    client = importlib.import_module(f"client_{sys.argv[1]}").Client(facts)
    for line in sys.stdin:
        print(json.dumps(measured(getattr(client, json.loads(line)["task"]))), flush=True)
    client.close()


def measured(run: Callable[[], Any]) -> dict[str, Any]:
    """Do one thing: its result, its seconds, the seconds of processor, the most memory it took more, in MB."""
    gc.collect()
    forget_peak()
    before, cpu, clock = memory("VmRSS"), processor(), time.perf_counter()
    size = run()
    seconds = time.perf_counter() - clock
    return {"size": size, "seconds": seconds, "cpu": processor() - cpu, "grown": memory("VmHWM") - before}


def processor() -> float:
    """Give the seconds of processor that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory(name: str) -> float:
    """Give a line of this process's status in megabytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text("ascii"), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def forget_peak() -> None:
    """Let the peak of this process's memory begin anew where it is now."""
    CLEAR.write_text("5", "ascii")


def sockets() -> int:
    """Count the sockets that this process holds."""
    held = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that reads the directory is gone by then
            held += str(entry.readlink()).startswith("socket:")
    return held


if __name__ == "__main__":
    # the clients ask this very module for `sockets`
    sys.modules["worker"] = sys.modules["__main__"]
    main()
