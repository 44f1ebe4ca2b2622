"""A web server on this machine for one test: it has the files it was given, and tells who asked for what."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: A file's bytes, and headers beside its length.
File = tuple[bytes, dict[str, str]]


@contextmanager
def small_web(files: Mapping[str, File]) -> Iterator[tuple[str, list[str]]]:
    """Serve files by their paths; give the address, and a list of the paths that are asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """Answers GET."""

        def do_GET(self) -> None:
            """Send a file, or say that there is none."""
            asked.append(self.path)
            if self.path not in files:
                self.send_error(404, "File not found")
                return
            data, headers = files[self.path]
            self.send_response(302 if "Location" in headers else 200)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
