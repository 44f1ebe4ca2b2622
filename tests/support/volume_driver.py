"""A driver of volumes, as it runs within a plugin of Docker: directories, and a status that says what it was set to.

It stands alone: Python of the engine's machine runs it, without anything of these tests.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

SOCKET = "/run/docker/plugins/volumes.sock"
#: What is mounted here, in the plugin, is what the engine gives to containers.
VOLUMES = Path("/volumes")


def told(name: str) -> dict[str, Any]:
    """Say what a volume is."""
    status = {"Greeting": os.environ.get("GREETING", ""), "Version": os.environ.get("VERSION", "")}
    return {"Name": name, "Mountpoint": str(VOLUMES / name), "Status": status}


def answer(question: str, name: str) -> dict[str, Any]:
    """Answer one call of the volume driver's protocol."""
    there = VOLUMES / name
    if question == "/Plugin.Activate":
        return {"Implements": ["VolumeDriver"]}
    if question == "/VolumeDriver.Capabilities":
        return {"Capabilities": {"Scope": "local"}}
    if question == "/VolumeDriver.List":
        return {"Volumes": [told(one.name) for one in VOLUMES.iterdir()], "Err": ""}
    if question == "/VolumeDriver.Create":
        there.mkdir(exist_ok=True)
    elif not there.is_dir():
        return {"Err": f"there is no volume {name}"}
    elif question == "/VolumeDriver.Remove":
        shutil.rmtree(there)
    return {"Volume": told(name), "Mountpoint": str(there), "Err": ""} if there.is_dir() else {"Err": ""}


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP with the engine."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a call."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = json.dumps(answer(self.path, str(json.loads(body or b"{}").get("Name", "")))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.plugins.v1.1+json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process of a namespace ignores it otherwise
    with socketserver.ThreadingUnixStreamServer(SOCKET, Handler) as server:
        server.serve_forever()
