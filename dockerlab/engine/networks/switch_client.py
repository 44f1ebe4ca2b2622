"""The engine's side of the switch: starts it when the first network is needed, and sends it requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.proc import is_same_process
from dockerlab.engine.faults import Fault
from dockerlab.engine.processes.isolation import HELPER_ENVIRONMENT, helper_command

__all__ = ["BRIDGE", "VETH", "SwitchClient", "bridge_name", "end", "veth_name"]

TIMEOUT_SECONDS, CONNECT_SECONDS, BLOCK = 10, 10, 1 << 16
RESTART_SECONDS = 0.2  #: between the end of a switch and the start of another one
#: How much of an id an interface's name has room for: Linux allows 15 bytes.
ID_LETTERS = 11
#: How the names of bridges and of containers' interfaces begin.
BRIDGE, VETH = "br-", "veth"
Record = dict[str, Any]
log = logging.getLogger("dockerlab.engine")


class SwitchClient:
    """Sends requests to one engine's switch. They block the event loop, but each takes well under a millisecond."""

    def __init__(self, state: Path, works: bool) -> None:
        """Use the switch of this state directory; `works` is false on a rung without networks, which has no switch."""
        self.state = state
        self.works = works
        self.restore: Callable[[], None] = lambda: None  #: connects the running containers to a new switch
        self.is_needed: Callable[[], bool] = lambda: False  #: whether a switch that has ended is to be replaced
        self._connection: socket.socket | None = None
        self._is_restoring = False

    @property
    def pid(self) -> int:
        """The pid of the switch; 0 if none runs."""
        return _pid(self.state)

    def request(self, verb: str, **arguments: Any) -> Record:
        """Send a request and return the response. Raises Fault."""
        return self._request({"verb": verb, **arguments})[0]

    async def connect(self, address: str, number: int, protocol: str) -> socket.socket:
        """Return a socket that is connected to a container's port. Raises Fault, TimeoutError."""
        _, handles = self._request({"verb": "connect", "address": address, "number": number, "protocol": protocol})
        connecting, loop = socket.socket(fileno=handles[0]), asyncio.get_running_loop()
        writable = asyncio.Event()
        loop.add_writer(connecting, writable.set)
        try:
            await asyncio.wait_for(writable.wait(), CONNECT_SECONDS)
            if connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise Fault("connection refused")
        except BaseException:
            loop.remove_writer(connecting)
            connecting.close()
            raise
        loop.remove_writer(connecting)
        return connecting

    def _request(self, request: Record) -> tuple[Record, list[int]]:
        """Return the response and the file descriptors that came with it. If the connection breaks, try once more."""
        for is_last in (False, True):
            try:
                connection = self._connect()
                connection.sendall(json.dumps(request).encode() + b"\n")
                data, handles, _, _ = socket.recv_fds(connection, BLOCK, 1)
                while data and not data.endswith(b"\n") and (more := connection.recv(BLOCK)):
                    data += more
                if not data:
                    raise ConnectionError("the switch has closed the connection")
                response = json.loads(data)
                break
            except (OSError, ValueError) as error:
                self.close()
                if is_last:
                    raise Fault(f"the switch does not answer: {error}") from None
        if "error" in response:
            raise Fault(f"failed to set up container networking: {response['error']}")
        return response, list(handles)

    def _connect(self) -> socket.socket:
        if self._connection is None:
            is_new = not self.pid
            if is_new:
                self._start()
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(TIMEOUT_SECONDS)
            # the state directory's path may be longer than a socket address can be
            directory = os.open(self.state, os.O_PATH | os.O_DIRECTORY)
            try:
                connection.connect(f"/proc/self/fd/{directory}/switch.sock")
            except BaseException:
                connection.close()
                raise
            finally:
                os.close(directory)
            self._connection = connection
            self._watch(self.pid)
            if is_new:
                self._restore_once()
        return self._connection or self._connect()

    def _restore_once(self) -> None:
        """Connect the running containers to a new switch. If that ends meanwhile, the next request does it again."""
        if self._is_restoring:
            return
        self._is_restoring = True
        try:
            self.restore()
        finally:
            self._is_restoring = False

    def _watch(self, pid: int) -> None:
        """Have the end of the switch noticed: the running containers have no network from then on."""
        try:
            loop, descriptor = asyncio.get_running_loop(), os.pidfd_open(pid)
        except (RuntimeError, OSError):  # outside of the event loop, or the switch has just ended
            return

        def replace() -> None:
            if self.is_needed():
                log.warning("the switch has ended, and is started again")
                with contextlib.suppress(Fault):
                    self.request("spaces")

        def note_end() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            loop.call_later(RESTART_SECONDS, replace)

        loop.add_reader(descriptor, note_end)

    def _start(self) -> None:
        command = helper_command("networks.switch", str(self.state))
        process = subprocess.Popen(  # noqa: S603  (our own module, by this same interpreter)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=HELPER_ENVIRONMENT,
            cwd="/",
        )
        stdout, stderr = process.stdout, process.stderr
        assert stdout is not None and stderr is not None  # noqa: S101  (tells mypy that both are pipes)
        if stdout.readline().strip() != b"ready":
            reason = stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise Fault(f"failed to set up container networking: {reason}")
        stdout.close()
        stderr.close()

    def close(self) -> None:
        """Close the connection; the switch goes on."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def bridge_name(network: str) -> str:
    """Return the name of a network's bridge."""
    return f"{BRIDGE}{network[:ID_LETTERS]}"


def veth_name(endpoint: str) -> str:
    """Return the name of an endpoint's interface."""
    return f"{VETH}{endpoint[:ID_LETTERS]}"


def end(state: Path) -> None:
    """End the switch of a state directory, and with it all networks."""
    pid = _pid(state)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for name in ("switch.sock", "switch.json"):
        (state / name).unlink(missing_ok=True)


def _pid(state: Path) -> int:
    """Return the pid of the switch that runs for a state directory; 0 if none does."""
    process = json_files.read(state / "switch.json")
    return int(process["pid"]) if process and is_same_process(process["pid"], process["ticks"]) else 0
