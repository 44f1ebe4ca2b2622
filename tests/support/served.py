"""A JupyterLab started by a command, and the address that it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def jupyterlab(process: subprocess.Popen[str], seconds: float = 60) -> Iterator[str]:
    """Give the address that a starting JupyterLab prints, and end it afterwards with all that it started."""
    said: list[str] = []
    assert process.stdout is not None
    lines = process.stdout
    reader = threading.Thread(target=lambda: said.extend(lines), daemon=True)
    reader.start()
    try:
        yield _address(process, said, seconds)
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # it was started in a session of its own
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
        reader.join(5)
        lines.close()


def _address(process: subprocess.Popen[str], said: list[str], seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if found := re.findall(r"http://\S+", "".join(said)):
            return str(found[-1])
        time.sleep(0.1)
    raise AssertionError(f"no address within {seconds} s (code {process.poll()}):\n{''.join(said)}")
