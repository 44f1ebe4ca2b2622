"""The engine's side of the switch: starts it when the first network is needed, finds it again, asks it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.proc import is_same_process
from dockerlab.engine.faults import Fault
from dockerlab.engine.processes.isolation import SHIM, SHIM_ENVIRONMENT

__all__ = ["Port", "SwitchClient", "end"]

SECONDS, CONNECT_SECONDS, LONGEST = 10, 10, 1 << 16
PORTS_LETTERS = 11
Record = dict[str, Any]


class SwitchClient:
    """One engine's switch. Asked from the event loop: each answer takes well under a millisecond."""

    def __init__(self, state: Path, works: bool) -> None:
        """Use the state directory; on a rung without networks there is no switch."""
        self.state = state
        self.works = works
        self._link: socket.socket | None = None

    @property
    def pid(self) -> int:
        """The pid of the switch; 0 if there is none."""
        told = json_files.read(self.state / "switch.json")
        return int(told["pid"]) if told and is_same_process(told["pid"], told["ticks"]) else 0

    def ask(self, verb: str, **more: Any) -> Record:
        """Ask for something. Raises Fault."""
        return self._ask({"verb": verb, **more})[0]

    async def connect(self, address: str, number: int, protocol: str) -> socket.socket:
        """Give a socket that is connected to a container's port. Raises Fault, TimeoutError."""
        _, handles = self._ask({"verb": "connect", "address": address, "number": number, "protocol": protocol})
        made, loop, done = socket.socket(fileno=handles[0]), asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(made, done.set)
        try:
            await asyncio.wait_for(done.wait(), CONNECT_SECONDS)
            if made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise Fault("connection refused")
        except BaseException:
            loop.remove_writer(made)
            made.close()
            raise
        loop.remove_writer(made)
        return made

    def _ask(self, asked: Record) -> tuple[Record, list[int]]:
        for attempt in (1, 2):
            try:
                link = self._connection()
                link.sendall(json.dumps(asked).encode() + b"\n")
                data, handles, _, _ = socket.recv_fds(link, LONGEST, 1)
                while data and not data.endswith(b"\n") and (more := link.recv(LONGEST)):
                    data += more
                if not data:
                    raise ConnectionError("the switch is gone")
                told = json.loads(data)
                break
            except (OSError, ValueError) as error:
                self.close()
                if attempt == 2:  # noqa: PLR2004
                    raise Fault(f"the switch does not answer: {error}") from None
        if "error" in told:
            raise Fault(f"failed to set up container networking: {told['error']}")
        return told, list(handles)

    def _connection(self) -> socket.socket:
        if self._link is None:
            if not self.pid:
                self._start()
            self._link = socket.socket(socket.AF_UNIX)
            self._link.settimeout(SECONDS)
            place = os.open(self.state, os.O_PATH | os.O_DIRECTORY)  # its path may be longer than a socket's may
            try:
                self._link.connect(f"/proc/self/fd/{place}/switch.sock")
            finally:
                os.close(place)
        return self._link

    def _start(self) -> None:
        command = [*SHIM[:-1], "dockerlab.engine.networks.switch", str(self.state)]
        started = subprocess.Popen(  # noqa: S603  (our own module, by this same interpreter)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=SHIM_ENVIRONMENT,
            cwd="/",
        )
        assert started.stdout is not None  # noqa: S101  (asked for above)
        assert started.stderr is not None  # noqa: S101
        if started.stdout.readline().strip() != b"ready":
            reason = started.stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise Fault(f"failed to set up container networking: {reason}")
        started.stdout.close()
        started.stderr.close()

    def close(self) -> None:
        """Close the connection; the switch goes on."""
        if self._link is not None:
            self._link.close()
            self._link = None


class Port:
    """Names of interfaces: they have at most 15 letters."""

    @staticmethod
    def bridge(network: str) -> str:
        """Name a network's bridge."""
        return f"br-{network[:PORTS_LETTERS]}"

    @staticmethod
    def veth(endpoint: str) -> str:
        """Name an endpoint's interface."""
        return f"veth{endpoint[:PORTS_LETTERS]}"


def end(state: Path) -> None:
    """End a switch, and with it all of its networks."""
    told = json_files.read(state / "switch.json")
    if told and is_same_process(told["pid"], told["ticks"]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(told["pid"], signal.SIGKILL)
    for name in ("switch.sock", "switch.json"):
        (state / name).unlink(missing_ok=True)
