"""The volume driver that runs inside the test plugin. Its volumes are directories, and their status shows the settings.

It stands alone: the Python of the engine's machine runs it, without any other module of these tests.
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
#: The engine gives what is mounted here, inside the plugin, to containers.
VOLUMES = Path("/volumes")


def volume(name: str) -> dict[str, Any]:
    """Return the description of a volume."""
    status = {"Greeting": os.environ.get("GREETING", ""), "Version": os.environ.get("VERSION", "")}
    return {"Name": name, "Mountpoint": str(VOLUMES / name), "Status": status}


def respond(call: str, name: str) -> dict[str, Any]:
    """Carry out one call of the volume driver's protocol and return the response."""
    folder = VOLUMES / name
    if call == "/Plugin.Activate":
        return {"Implements": ["VolumeDriver"]}
    if call == "/VolumeDriver.Capabilities":
        return {"Capabilities": {"Scope": "local"}}
    if call == "/VolumeDriver.List":
        return {"Volumes": [volume(entry.name) for entry in VOLUMES.iterdir()], "Err": ""}
    if call == "/VolumeDriver.Create":
        folder.mkdir(exist_ok=True)
    elif not folder.is_dir():
        return {"Err": f"there is no volume {name}"}
    elif call == "/VolumeDriver.Remove":
        shutil.rmtree(folder)
    return {"Volume": volume(name), "Mountpoint": str(folder), "Err": ""} if folder.is_dir() else {"Err": ""}


class Handler(BaseHTTPRequestHandler):
    """Reads the engine's calls and sends the responses."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = json.dumps(respond(self.path, str(json.loads(body or b"{}").get("Name", "")))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.plugins.v1.1+json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    # The first process of a pid namespace ignores SIGTERM unless it has a handler.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with socketserver.ThreadingUnixStreamServer(SOCKET, Handler) as server:
        server.serve_forever()
