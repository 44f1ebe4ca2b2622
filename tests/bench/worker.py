"""Runs one client in a process of its own: reads tasks as lines of JSON, and writes what each of them cost.

    python tests/bench/worker.py NAME      NAME is that of a module in this directory: client_NAME.py

In this way a client runs in an environment of its own, and no figure includes its imports or its start. This module
needs only the standard library. The first line of its input contains the facts from `preparation.prepare`. Each of the
other lines is `{"task": NAME}`: a method of the client, which returns the size of its result.
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

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main() -> None:
    facts = json.loads(sys.stdin.readline())
    client = importlib.import_module(f"client_{sys.argv[1]}").Client(facts)
    for line in sys.stdin:
        print(json.dumps(measure(getattr(client, json.loads(line)["task"]))), flush=True)
    client.close()


def measure(task: Callable[[], Any]) -> dict[str, Any]:
    """Do one task. Return its result, its seconds, its processor seconds, and the additional memory it used, in MB."""
    gc.collect()
    reset_peak_memory()
    memory, processor, begin = status_megabytes("VmRSS"), processor_seconds(), time.perf_counter()
    size = task()
    return {
        "size": size,
        "seconds": time.perf_counter() - begin,
        "processor_seconds": processor_seconds() - processor,
        "additional_memory": status_megabytes("VmHWM") - memory,
    }


def processor_seconds() -> float:
    """Return the processor time that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def status_megabytes(name: str) -> float:
    """Return a field of this process's status in megabytes."""
    match = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text("ascii"), re.MULTILINE)
    return int(match[1]) * 1024 / 1e6 if match else 0.0


def reset_peak_memory() -> None:
    """Set the peak of this process's memory to its current value."""
    CLEAR_REFS.write_text("5", "ascii")


def open_sockets() -> int:
    """Count the open sockets of this process."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor that reads this directory is closed already
            count += str(entry.readlink()).startswith("socket:")
    return count


if __name__ == "__main__":
    # The clients import `open_sockets` from this module, which runs as __main__.
    sys.modules["worker"] = sys.modules["__main__"]
    main()
