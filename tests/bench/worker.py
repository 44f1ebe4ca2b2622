"""One client under test in its own process: it reads tasks as lines of JSON, and prints the cost of each one.

    python tests/bench/worker.py NAME      runs the tasks of client_NAME.py

Each client runs in its own environment, and its imports and start-up don't count. This module needs only the standard
library. The first line of the input has the facts about the engine, see `stock`. Every other line is `{"task": NAME}`:
a method of the client, which returns the size of what it has read.
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
    """Run tasks until the input ends."""
    facts = json.loads(sys.stdin.readline())
    client = importlib.import_module(f"client_{sys.argv[1]}").Client(facts)
    for line in sys.stdin:
        print(json.dumps(measure(getattr(client, json.loads(line)["task"]))), flush=True)
    client.close()


def measure(run: Callable[[], Any]) -> dict[str, Any]:
    """Call a function. Return its result, the seconds, the processor seconds, and the additional peak memory in MB."""
    gc.collect()
    forget_peak()
    before, cpu, clock = memory("VmRSS"), processor_seconds(), time.perf_counter()
    size = run()
    seconds = time.perf_counter() - clock
    return {"size": size, "seconds": seconds, "cpu": processor_seconds() - cpu, "grown": memory("VmHWM") - before}


def processor_seconds() -> float:
    """Return the processor seconds that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory(name: str) -> float:
    """Return a line of this process's status in megabytes."""
    match = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text("ascii"), re.MULTILINE)
    return int(match[1]) * 1024 / 1e6 if match else 0.0


def forget_peak() -> None:
    """Reset the peak of this process's memory."""
    CLEAR.write_text("5", "ascii")


def sockets() -> int:
    """Return the number of sockets that this process has open."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor of this directory listing is already closed
            count += str(entry.readlink()).startswith("socket:")
    return count


if __name__ == "__main__":
    # The clients import `sockets` from this module, which runs as __main__.
    sys.modules["worker"] = sys.modules["__main__"]
    main()
