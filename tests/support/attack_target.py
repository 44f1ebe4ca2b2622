"""The engine that is under attack: a client of any Docker Engine, which looks for secrets in each response."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import os
import tarfile
import time
import uuid
from collections.abc import Iterator
from http.client import IncompleteRead
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from archives import Member, link, tar_of
from c_programs import attack_program
from canary import SECRET_BYTES, Canary
from plain_http import ask, connection, json_lines

__all__ = ["Response", "Target", "busybox_members", "tries"]

SECONDS = 30
#: The engine must answer these after each attack.
LISTS = ("/containers/json?all=1", "/images/json?all=1", "/volumes", "/networks", "/system/df", "/info")
APPLETS = ("sh", "cat", "echo", "id", "ls", "mkdir", "rm", "sleep", "true")


class Response(NamedTuple):
    """The response to one request."""

    status: int
    data: bytes
    headers: dict[str, str]

    @property
    def document(self) -> Any:
        """The decoded JSON."""
        return json.loads(self.data) if self.data.strip() else None

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The records of a stream."""
        return json_lines(self.data)

    @property
    def error(self) -> str:
        """The error of a stream or of a request; empty if it succeeded."""
        with contextlib.suppress(ValueError):
            records: list[Any] = self.lines
            if self.status >= 400:
                return str(records[0].get("message"))
            return next((str(record["error"]) for record in records if "error" in record), "")
        return ""


class Target:
    """An engine during one attack. What the attack creates is removed afterwards."""

    def __init__(self, host: str, name: str) -> None:
        """Attack the engine at an address. `name` is its rung, or `docker`."""
        self.host, self.name = host, name
        self.canary = Canary(str(ask(host, "GET", "/info")[1]["DockerRootDir"]))
        self.label = f"attack-{uuid.uuid4().hex[:10]}"
        self._names = (f"{self.label}-{number}" for number in range(1000))
        self._reached: list[str] = []
        self._containers: list[str] = []
        self._images: list[str] = []
        self._volumes: list[str] = []

    def __enter__(self) -> Target:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for kind_path, names in (("containers", self._containers), ("volumes", self._volumes)):
            for name in names:
                with contextlib.suppress(OSError):
                    self.send("DELETE", f"/{kind_path}/{name}?force=1&v=1")
        for name in [*self._images[::-1], *self._own_images()]:
            with contextlib.suppress(OSError):
                self.send("DELETE", f"/images/{quote(name, safe='')}?force=1")
        self.canary.remove()

    def _own_images(self) -> Iterator[str]:
        with contextlib.suppress(OSError, ValueError):
            for image in self.send("GET", "/images/json").document:
                yield from (tag for tag in image["RepoTags"] or [] if self.label in tag)

    # -- the result ------------------------------------------------------------------------------------------

    def reached(self, what: str) -> None:
        """Note that the attack has reached the host."""
        self._reached.append(what)

    def check(self) -> None:
        """Fail if the attack has reached the host, or if the engine doesn't answer any more."""
        for path in LISTS:
            response = self.send("GET", path)
            if response.status != 200:
                self.reached(f"GET {path} is answered by {response.status}: {response.data[:300]!r}")
        traces = self._reached + self.canary.differences()
        if traces:
            pytest.fail("the host was reached:\n" + "\n".join(traces), pytrace=False)

    def has_reached(self) -> bool:
        """Tell whether the attack has already succeeded, so that no further try is needed."""
        return bool(self._reached or self.canary.differences())

    def _look_for_secrets(self, request: str, data: bytes, headers: dict[str, str]) -> None:
        stat = base64.b64decode(headers.get("X-Docker-Container-Path-Stat", ""))
        data += b"\n".join(value.encode() for value in headers.values()) + stat
        if any(secret in data for secret in self.canary.secrets):
            self.reached(f"{request} gave away a secret")
        if f'"size":{SECRET_BYTES}'.encode() in stat:
            self.reached(f"{request} gave away the size of a secret file")

    # -- requests --------------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> Response:
        """Send one request, by default with a tar as its body, and look for secrets in the response."""
        client = connection(self.host, seconds)
        try:
            all_headers = {"Content-Type": "application/x-tar", **(headers or {})}
            # an engine that refuses a request early may not read all of it
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.request(method, path, body=body or None, headers=all_headers)
            answer = client.getresponse()
            try:
                data = answer.read()
            except IncompleteRead as error:  # the engine has cut off a stream that it can't go on with
                data = error.partial
            response = Response(answer.status, data, dict(answer.getheaders()))
        finally:
            client.close()
        self._look_for_secrets(f"{method} {path}", response.data, response.headers)
        return response

    def ask(self, method: str, path: str, document: object = None, seconds: float = SECONDS) -> Response:
        """Send one request with a JSON body."""
        body = b"" if document is None else json.dumps(document).encode()
        return self.send(method, path, body, {"Content-Type": "application/json"}, seconds)

    # -- containers ------------------------------------------------------------------------------------------

    def create(self, *command: str, image: str = "busybox", name: str = "", **config: Any) -> str:
        """Create a container and return its id, which is empty if the engine refuses it."""
        body = {"Image": image, "Cmd": list(command), "Labels": {"attack": self.label}, "Tty": True, **config}
        query = f"?{urlencode({'name': name})}" if name else ""
        response = self.ask("POST", f"/containers/create{query}", body)
        if response.status != 201:
            return ""
        self._containers.append(response.document["Id"])
        return self._containers[-1]

    def start(self, container: str) -> Response:
        """Start a container."""
        return self.ask("POST", f"/containers/{container}/start")

    def run(self, *command: str, **config: Any) -> str:
        """Run a container to its end and return its output; empty if it can't be created or started."""
        container = self.create(*command, **config)
        if not container or self.start(container).status != 204:
            return ""
        self.ask("POST", f"/containers/{container}/wait")
        return self.output(container)

    def shell(self, script: str, **config: Any) -> str:
        """Run a shell script in a container and return its output."""
        return self.run("sh", "-c", script, **config)

    def output(self, container: str) -> str:
        """Return the output of a container, which has a terminal."""
        data = self.send("GET", f"/containers/{container}/logs?stdout=1&stderr=1").data
        return data.decode("utf-8", "replace").replace("\r", "")

    def execute(self, container: str, *command: str, **config: Any) -> str:
        """Run a command in a running container and return its output, with the error if it can't be started."""
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, "Tty": True, **config}
        response = self.ask("POST", f"/containers/{container}/exec", body)
        if response.status != 201:
            return ""
        response = self.ask("POST", f"/exec/{response.document['Id']}/start", {"Detach": False, "Tty": True})
        return response.data.decode("utf-8", "replace").replace("\r", "")

    def program_container(
        self, *arguments: str, files: tuple[Member, ...] = (), start: bool = True, **config: Any
    ) -> str:
        """Create a container that runs the attack program, copy it and more files into it, and start it."""
        container = self.create("/attack", *arguments, **config)
        assert container
        assert self.put(container, "/", ("attack", attack_program(), 0o755), *files).status == 200
        if start:
            assert self.start(container).status == 204
        return container

    def run_program(self, *arguments: str, **config: Any) -> str:
        """Run the attack program to its end and return its output."""
        container = self.program_container(*arguments, **config)
        self.ask("POST", f"/containers/{container}/wait", seconds=90)
        return self.output(container)

    # -- archives --------------------------------------------------------------------------------------------

    def put(self, container: str, path: str, *members: Member, options: str = "") -> Response:
        """Copy files into a container."""
        return self.send("PUT", f"/containers/{container}/archive?path={quote(path)}{options}", tar_of(*members))

    def get(self, container: str, path: str) -> Response:
        """Copy files out of a container."""
        return self.send("GET", f"/containers/{container}/archive?path={quote(path)}")

    def head(self, container: str, path: str) -> Response:
        """Ask for the status of a file in a container."""
        return self.send("HEAD", f"/containers/{container}/archive?path={quote(path)}")

    def read_everywhere(self, container: str, *paths: str) -> None:
        """Read a container's files in every way, so that a secret among them is seen."""
        for path in paths:
            self.get(container, path)
            self.head(container, path)
        for what in ("export", "changes", "json?size=1"):
            self.send("GET", f"/containers/{container}/{what}")

    # -- images ----------------------------------------------------------------------------------------------

    def name_image(self) -> str:
        """Return a new name for an image, which is removed after the attack."""
        return next(self._names)

    def volume(self) -> str:
        """Create a volume and return its name."""
        name = next(self._names)
        assert self.ask("POST", "/volumes/create", {"Name": name}).status == 201
        self._volumes.append(name)
        return name

    def import_image(self, *members: Member, archive: bytes = b"", may_fail: bool = False) -> str:
        """Import an image from the members of a tar, or from a whole one. Return its name; empty if it is refused."""
        name = self.name_image()
        query = urlencode({"fromSrc": "-", "repo": name, "changes": 'CMD ["true"]'})
        response = self.send("POST", f"/images/create?{query}", archive or tar_of(*members), seconds=90)
        assert may_fail or not response.error, response.error
        return "" if response.error else name

    def image_with(self, *members: Member) -> str:
        """Import an image that has a shell and these members, and return its name."""
        return self.import_image(*busybox_members(self.host), *members)

    def build(self, dockerfile: str, /, *members: Member, **query: str) -> tuple[str, Response]:
        """Build an image. Return its name and the response."""
        name = self.name_image()
        context = [("Dockerfile", dockerfile.encode()), *members] if dockerfile else members
        options = urlencode({"t": name, "forcerm": "1", "nocache": "1", **query})
        return name, self.send("POST", f"/build?{options}", tar_of(*context), seconds=60)

    def load(self, *members: Member) -> Response:
        """Load an image archive; its images are removed after the attack."""
        response = self.send("POST", "/images/load", tar_of(*members))
        with contextlib.suppress(ValueError):
            streams = [str(record.get("stream", "")) for record in response.lines]
            self._images += [text.split(": ", 1)[1].strip() for text in streams if text.startswith("Loaded image")]
        return response


def tries(count: int, seconds: float = 4) -> Iterator[int]:
    """Count the tries of a race, for so many seconds at most, and half as many on an engine that judges the attacks."""
    end = time.monotonic() + (seconds / 2 if os.environ.get("DOCKERLAB_TEST_HOST") else seconds)
    for number in range(count):
        if time.monotonic() > end:
            return
        yield number


@functools.cache
def busybox_members(host: str) -> tuple[Member, ...]:
    """Return the members of a small root directory: the engine's own busybox, with links for some of its commands."""
    container = ask(host, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})[1]["Id"]
    client = connection(host)
    client.request("GET", f"/containers/{container}/archive?path=/bin/busybox")
    data = client.getresponse().read()
    client.close()
    ask(host, "DELETE", f"/containers/{container}")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        program = tar.extractfile("busybox")
        assert program is not None
        return (("bin/busybox", program.read(), 0o755), *(link(f"bin/{name}", "busybox") for name in APPLETS))
