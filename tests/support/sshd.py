"""A real sshd with its own configuration, keys and port, which runs as the user who runs the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = """
ListenAddress 127.0.0.1
Port {port}
HostKey {base}/host
AuthorizedKeysFile {base}/accepted
ForceCommand {base}/far/.run
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
"""
CLIENT = """
IdentityFile {base}/key
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {base}/known
GlobalKnownHostsFile none
"""
#: A docker command that can do nothing but `docker system dial-stdio`.
DIAL = """#!{python}
import socket, sys, threading
far = socket.socket(socket.AF_UNIX)
address = sys.argv[2].removeprefix("unix://") if sys.argv[1] == "--host" else {socket!r}
assert sys.argv[-2:] == ["system", "dial-stdio"], sys.argv
far.connect(address)
def back():
    while data := far.recv(65536):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    sys.stdout.buffer.close()
thread = threading.Thread(target=back, daemon=True)
thread.start()
while data := sys.stdin.buffer.raw.read(65536):
    far.sendall(data)
far.shutdown(socket.SHUT_WR)
thread.join()
"""


class Sshd:
    """The server. `far` has the programs on the remote side, `near` has the ssh of the client."""

    def __init__(self, base: Path, port: int) -> None:
        self.base, self.port, self.url = base, port, f"ssh://127.0.0.1:{port}"
        self.far, self.near = base / "far", base / "near"
        for folder in (self.far, self.near):
            folder.mkdir()
        for name in ("host", "key", "other"):
            keygen = [str(shutil.which("ssh-keygen")), "-q", "-t", "ed25519", "-N", "", "-f", str(base / name)]
            subprocess.run(keygen, check=True, timeout=30)
        (base / "accepted").write_bytes((base / "key.pub").read_bytes())
        self.trust("host")
        (base / "server").write_text(SERVER.format(base=base, port=port))
        (base / "client").write_text(CLIENT.format(base=base))
        ssh = shutil.which("ssh")
        script(self.near / "ssh", f'#!/bin/sh\nexec {ssh} -F {base}/client "$@"\n')
        # PATH has only the programs that a test puts there
        script(self.far / ".run", f'#!/bin/sh\nPATH={self.far} exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n')

    def trust(self, key: str) -> None:
        """Make the client trust one of the keys for the server, or none if it is empty."""
        public = (self.base / f"{key}.pub").read_text() if key else ""
        (self.base / "known").write_text(f"[127.0.0.1]:{self.port} {public}" if key else "")

    def docker(self, engine: str) -> None:
        """Install a docker command that can only connect to the socket of one engine."""
        script(self.far / "docker", DIAL.format(python=sys.executable, socket=engine.removeprefix("unix://")))


def script(path: Path, text: str) -> None:
    """Write an executable script."""
    path.write_text(text)
    path.chmod(0o755)


@contextmanager
def sshd_running(program: str) -> Iterator[Sshd]:
    """Run an sshd while the block runs."""
    with tempfile.TemporaryDirectory(prefix="sshd-") as folder, socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        reserved.close()
        server = Sshd(Path(folder), port)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # required for its privilege separation
        with (server.base / "log").open("wb") as log:
            command = [program, "-D", "-e", "-f", str(server.base / "server")]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 20
            while not _listens(port):
                assert process.poll() is None and time.monotonic() < end, (server.base / "log").read_text()
                time.sleep(0.02)
            yield server
        finally:
            process.terminate()
            process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
