"""Registries and web servers: what their answers do to an engine that pulls, logs in or downloads."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attack_target import Response, Target
from attacks import attack
from engine_memory import memory_for
from raw_server import RawServer, raw_server
from registries import SmallRegistry, small_registry

SECONDS = 30
REPEATS = "Docker sends each request several times, which takes minutes"
#: More than an engine has threads on a small machine, if it has a fixed number of them.
CLIENTS = 16
MEBIBYTE = 1 << 20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
Ask = Callable[[Target, str], Response]


def pull(target: Target, server: str) -> Response:
    """Pull an image."""
    return target.send("POST", f"/images/create?fromImage={server}/x&tag=latest", seconds=SECONDS)


def log_in(target: Target, server: str) -> Response:
    """Check the password of a user."""
    document = {"username": "user", "password": "password", "serveraddress": server}
    return target.ask("POST", "/auth", document, seconds=SECONDS)


def inspect(target: Target, server: str) -> Response:
    """Ask which manifest a registry has."""
    return target.send("GET", f"/distribution/{server}/x/json", seconds=SECONDS)


def add(target: Target, server: str) -> Response:
    """Let a Dockerfile download a file, and read what has become of it."""
    name, response = target.build(f"FROM busybox\nADD http://{server}/ /x/\nADD http://{server}/y /\n")
    if container := target.create("true", image=name):
        target.read_everywhere(container, "/x", "/y")
    return response


def download_context(target: Target, server: str) -> Response:
    """Build from a context that is downloaded."""
    return target.send("POST", f"/build?forcerm=1&remote=http://{server}/file", seconds=SECONDS)


every_way = pytest.mark.parametrize("way", [pull, log_in, inspect, add, download_context])


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """Return a response."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]).encode() + body


def is_exception(response: Response) -> bool:
    """Tell whether a response has the text of an exception, or says that the engine itself has failed."""
    words = (b"Error:", b"Error(", b"Traceback", b"engine failed", b"object at", b"embedded null")
    return any(word in response.data for word in words)


# -- answers that don't come, and those that don't end --------------------------------------------------------


@every_way
@attack()
def test_server_that_never_answers(target: Target, way: Ask) -> None:
    """A server takes many requests and never answers, while another client starts a container."""

    def ask_and_wait() -> None:
        with contextlib.suppress(OSError, ValueError):
            way(target, server.name)

    with raw_server(target.host, lambda _: iter(server.end.wait, True)) as server:
        clients = [threading.Thread(target=ask_and_wait) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for _ in range(CLIENTS):
            if not server.requests.acquire(timeout=SECONDS / 2):
                target.reached("the engine sends no further requests")
                break
        with contextlib.suppress(TimeoutError):
            container = target.create("true")
            assert target.start(container).status == 204
            target.ask("GET", "/system/df")
            server.end.set()
        if not server.end.is_set():
            target.reached("a container isn't started while a server is silent")
    for client in clients:
        client.join()


def endless(server: RawServer, head: str) -> Iterator[bytes]:
    """Yield a response in chunks that never ends."""
    yield f"HTTP/1.1 {head}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    while not server.end.is_set():
        yield chunk


every_refusal = pytest.mark.parametrize(
    "head", ["302 Found\r\nLocation: /v2/", '401 No\r\nWWW-Authenticate: Basic realm="x"', "500 Error"]
)


@every_refusal
@pytest.mark.parametrize("way", [pull, log_in, inspect])
@attack()
def test_refusal_without_an_end(target: Target, way: Ask, head: str) -> None:
    """A registry's text of an error, of a redirect or of a demand for a password never ends."""
    ask_endless(target, way, head)


@every_refusal
@pytest.mark.parametrize("way", [add, download_context])
@attack(exception="Docker reads the text of an error until its memory is full")
def test_download_that_is_refused_without_an_end(target: Target, way: Ask, head: str) -> None:
    """A download is refused or redirected, with a text that never ends."""
    ask_endless(target, way, head)


def ask_endless(target: Target, way: Ask, head: str) -> None:
    """Send a request to a server whose answer never ends."""
    with raw_server(target.host, lambda _: endless(server, head)) as server:
        try:
            needed = memory_for(target.host, lambda: way(target, server.name))
        except TimeoutError:
            target.reached("the engine reads a text that nobody needs, and never ends")
        else:
            if needed > 100 * MEBIBYTE:
                target.reached("the engine holds the text in memory")


@every_way
@attack(exception="Docker unpacks a manifest of any size into its memory")
def test_answer_that_becomes_large(target: Target, way: Ask) -> None:
    """An answer of a few hundred bytes is compressed twice, and has 160 MB."""
    zeros = gzip.compress(b"\0" * (16 * MEBIBYTE)) * 10
    for body, encoding in ((zeros, "gzip"), (gzip.compress(zeros), "gzip, gzip")):
        data = answer(body, Content_Type=MANIFEST, Content_Encoding=encoding)
        with raw_server(target.host, lambda _, data=data: [data]) as server:  # type: ignore[misc]
            if memory_for(target.host, lambda server=server: way(target, server.name)) > 100 * MEBIBYTE:  # type: ignore[misc]
                target.reached("the engine holds the unpacked answer in memory")


# -- answers that lead elsewhere ------------------------------------------------------------------------------


def locations(target: Target) -> list[str]:
    """Return URLs of files of the host, in all forms."""
    file = f"{target.canary}/archive.tar"
    return [
        f"file://{file}", f"file:{file}", f"file://localhost{file}", f"FILE://{file}", f"//{file}", f"unix://{file}",
        f"http+unix://{file}", f"jar:file://{file}!/inner", f"http://[{file}", f"/../../../..{file}", "data:,x",
        "http://127.0.0.1:99999/", "http://\x01/", "gopher://127.0.0.1/", "",
    ]  # fmt: skip


@every_way
@attack(exception=REPEATS)
def test_redirect_to_a_file(target: Target, way: Ask) -> None:
    """A server redirects to a file of the host, in all forms that a URL can have."""
    for location in locations(target):
        with raw_server(target.host, lambda _, to=location: [answer(b"", "302 Found", Location=to)]) as server:  # type: ignore[misc]
            if is_exception(response := way(target, server.name)):
                target.reached(f"an exception after a redirect to {location!r}: {response.data[-300:]!r}")


@pytest.mark.parametrize("way", [pull, log_in, inspect])
@attack(exception=REPEATS)
def test_tokens_from_a_file(target: Target, way: Ask) -> None:
    """A registry says that a file of the host is where the engine gets its token."""
    for location in locations(target):
        challenge = f'Bearer realm="{location}",service="x"'
        refusal = answer(b"", "401 Unauthorized", WWW_Authenticate=challenge)
        with raw_server(target.host, lambda _, data=refusal: [data]) as server:  # type: ignore[misc]
            if is_exception(response := way(target, server.name)):
                target.reached(f"an exception after the realm {location!r}: {response.data[-300:]!r}")


def offer(registry: SmallRegistry, config: dict[str, Any], layer: dict[str, Any]) -> None:
    """Let a registry offer an image with one layer, whose blob it need not have."""
    content = json.dumps(config).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    registry.blobs[digest] = content
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": digest, "size": len(content)}}
    registry.manifests["x", "latest"] = MANIFEST, json.dumps({**document, "layers": [layer]}).encode()


@attack()
def test_layer_that_is_a_file_of_the_host(target: Target) -> None:
    """A manifest says that the content of a layer is at a URL, which names a tar of the host."""
    file = target.canary.path / "layer.tar"
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    urls = [f"file://{file}", str(file), f"unix://{file}"]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest]}}
    for kind in ("application/vnd.docker.image.rootfs.foreign.diff.tar", "application/vnd.oci.image.layer.v1.tar"):
        layer = {"mediaType": kind, "digest": digest, "size": file.stat().st_size, "urls": urls}
        with small_registry() as registry:
            offer(registry, config, layer)
            pull(target, registry.name)
            if container := target.create("true", image=f"{registry.name}/x"):
                target.read_everywhere(container, "/inner")


@attack()
def test_name_of_a_download(target: Target) -> None:
    """A server names the file that it sends: a path to the host, a whiteout, or no possible name."""
    victim = f"{target.canary}/victim"
    names = [f"{'../' * 20}{victim}", victim, "..", ".", ".wh.etc", ".wh..wh..opq", "a\0b", "a" * 300, "\udcff"]
    forms = [f'filename="{name}"' for name in names] + ["filename*=utf-8''..%2F..%2Fx", "filename*=x''%FF%00"]
    for form in forms:
        head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Disposition: attachment; {form}\r\n\r\nchanged"
        data = head.encode("utf-8", "surrogateescape")
        with raw_server(target.host, lambda _, data=data: [data]) as server:  # type: ignore[misc]
            if is_exception(response := add(target, server.name)):
                target.reached(f"an exception after the name {form!r}: {response.data[-300:]!r}")


# -- answers that are not HTTP --------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
NO_HTTP = [
    b"", b"\xff\xfe\0", b"HTTP/1.1 99999 X\r\n\r\n", b"HTTP/9.9 200\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
    OK + b"X: " + b"a" * 200_000 + b"\r\n\r\n", OK + b"X: y\r\n" * 5000 + b"\r\n", OK + b"Content-Length: -1\r\n\r\nx",
    OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nx", OK + b"Content-Length: x\r\n\r\nx",
    OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nx", OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 18 + b"\r\n",
    OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", OK + b"Content-Type: \xff\r\n\r\n\xff",
    OK + b"Last-Modified: Mon, 01 Jan 0001 00:00:00 -0000\r\n\r\nx",
    OK + b"Last-Modified: Fri, 31 Dec 9999 23:59:59 -9999\r\n\r\nx",
]  # fmt: skip


@every_way
@attack(exception=REPEATS)
def test_answers_that_are_no_http(target: Target, way: Ask) -> None:
    """The answers of a server are no HTTP, or have wrong lengths, chunks, times and encodings."""
    for data in NO_HTTP:
        with raw_server(target.host, lambda _, data=data: [data]) as server:  # type: ignore[misc]
            if is_exception(response := way(target, server.name)):
                target.reached(f"an exception after {data[:60]!r}: {response.data[-300:]!r}")
