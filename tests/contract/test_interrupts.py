"""Ctrl-C while a program waits for an engine: it comes through at once, and the Lab can be used afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

ACTS = {
    "for line in logs": 'for line in lab.container.logs(box, follow=True): print("got", line.message, flush=True)',
    "for sample in stats": 'for one in lab.container.stats(box): print("got", flush=True)',
    "for event in events": 'print("got", flush=True); list(lab.system.events())',
    "exec.start().read()": (
        'made = lab.container.exec(box, ["sleep", "60"]).set_index("field")["value"]["Id"]; '
        'print("got", flush=True); lab.exec.start(made).read()'
    ),
    "attach().read()": 'talk = lab.container.attach(box); print("got", flush=True); talk.read()',
    "attach_websocket().read()": 'talk = lab.container.attach_websocket(box); print("got", flush=True); talk.read()',
    "call": 'print("got", flush=True); lab.call("ContainerWait", id=box)',
    "gather": 'print("got", flush=True); lab.gather("ContainerWait", [{"id": box}] * 6)',
}
PROGRAM = """
import signal, sys, threading, time
import dockerlab
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background was told to pay no heed to it
from processes import open_files
lab = dockerlab.connect({host!r})
made = lab.container.create("busybox", cmd=["sh", "-c", "echo ready; sleep 60"], labels={labels!r})
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
# fewer are right: the connection of a pool that was interrupted is closed
print("left", max(open_files() - files, 0), threading.active_count() - threads)
print("after", lab.container.inspect(box)["field"].iloc[0], lab.system.ping()["answer"].iloc[0])
"""


@pytest.mark.parametrize("act", ACTS)
def test_an_interrupt_comes_through_at_once(act: str, host: str, labels: dict[str, str]) -> None:
    program = PROGRAM.format(host=host, labels=labels, act=ACTS[act])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("got"), running.communicate(timeout=20)
        time.sleep(0.4)
        sent = time.time()
        running.send_signal(signal.SIGINT)
        said, complaints = running.communicate(timeout=30)
    finally:
        running.kill()
        running.wait()
    assert complaints == ""
    interrupted, left, after = [line for line in said.splitlines() if not line.startswith("got")]
    assert interrupted.startswith("interrupted")
    assert float(interrupted.split()[1]) - sent < 2
    assert left == "left 0 0"
    assert after == "after Id OK"
