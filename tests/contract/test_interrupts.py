"""Ctrl-C while a program waits for an engine takes effect immediately, and the Lab can be used afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

ACTS = {
    "for line in logs": 'for line in lab.container.logs(box, follow=True): print("ready", line.message, flush=True)',
    "for sample in stats": 'for sample in lab.container.stats(box): print("ready", flush=True)',
    "for event in events": 'print("ready", flush=True); list(lab.system.events())',
    "exec.start().read()": (
        'job = lab.container.exec(box, ["sleep", "60"]).set_index("field")["value"]["Id"]; '
        'print("ready", flush=True); lab.exec.start(job).read()'
    ),
    "attach().read()": 'stream = lab.container.attach(box); print("ready", flush=True); stream.read()',
    "attach_websocket().read()": (
        'stream = lab.container.attach_websocket(box); print("ready", flush=True); stream.read()'
    ),
    "call": 'print("ready", flush=True); lab.call("ContainerWait", id=box)',
    "gather": 'print("ready", flush=True); lab.gather("ContainerWait", [{"id": box}] * 6)',
}
PROGRAM = """
import signal, sys, threading, time
import dockerlab
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process ignores SIGINT by default
from processes import open_files
lab = dockerlab.connect({host!r})
lab.container.create("busybox", cmd=["sh", "-c", "echo ready; sleep 60"], labels={labels!r})
box = lab.last.json()["Id"]
lab.container.start(box)
lab.container.inspect(box)
files, threads = open_files(), threading.active_count()
try:
    {act}
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
end = time.monotonic() + 5
while open_files() > files and time.monotonic() < end:
    time.sleep(0.02)
# There may be fewer, because the interrupted connection of the pool is closed.
print("leaks", max(open_files() - files, 0), threading.active_count() - threads)
print("after", lab.container.inspect(box)["field"].iloc[0], lab.system.ping()["answer"].iloc[0])
"""


@pytest.mark.parametrize("act", ACTS)
def test_an_interrupt_takes_effect_immediately(act: str, host: str, labels: dict[str, str]) -> None:
    program = PROGRAM.format(host=host, labels=labels, act=ACTS[act])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready"), process.communicate(timeout=20)
        time.sleep(0.4)
        begin = time.time()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert errors == ""
    interrupted, leaks, after = [line for line in output.splitlines() if not line.startswith("ready")]
    assert interrupted.startswith("interrupted")
    assert float(interrupted.split()[1]) - begin < 2
    assert leaks == "leaks 0 0"
    assert after == "after Id OK"
