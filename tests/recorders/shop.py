"""A small shop of images and containers, which is run on real engines to record their responses."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from archives import tar_of

from dockerlab.errors import DockerlabError, EngineError
from dockerlab.lab.lab import Lab

MIB = 1 << 20

#: Dockerfiles by tag, in build order. The last one deletes a file in a later layer, which saves no space.
DOCKERFILES = {
    "shop/base:1": "FROM {busybox}\nLABEL team=shop\nENV LANG=C.UTF-8\n"
    "RUN dd if=/dev/urandom of=/opt.bin bs=64k count=24\n",
    "shop/web:1.0": "FROM shop/base:1\nENV MODE=plain WORKERS=2\nCOPY index.html /www/index.html\nWORKDIR /www\n"
    'EXPOSE 8080\nUSER 1000:1000\nCMD ["httpd", "-f", "-p", "8080"]\n',
    "shop/web:1.1": "FROM shop/base:1\nENV MODE=fast WORKERS=4 CACHE=on\nCOPY index.html /www/index.html\n"
    "RUN dd if=/dev/urandom of=/www/cache.bin bs=64k count=8\nWORKDIR /www\nEXPOSE 8080 9090\n"
    'CMD ["httpd", "-f", "-p", "8080"]\n',
    "shop/tools:1": "FROM {busybox}\nRUN dd if=/dev/urandom of=/big.bin bs=64k count=40\nRUN rm /big.bin\n"
    'RUN dd if=/dev/urandom of=/small.bin bs=64k count=4\nCMD ["sh"]\n',
}

API = """
n=0
while [ $n -lt ${LINES_WANTED:-400} ]; do n=$((n+1))
case $((n % 8)) in
1) echo "{\\"level\\":\\"info\\",\\"msg\\":\\"order taken\\",\\"order\\":$n,\\"ms\\":$((n % 37 + 3))}";;
2) echo "level=info msg=\\"cart saved\\" items=$((n % 5)) took=0.0$((n % 9))s";;
3) echo "GET /cart?id=$n HTTP/1.1 200";;
5) [ $((n % 40)) -ge 21 ] && echo "level=error msg=\\"payment refused: card \\$ expired\\" order=$n" >&2;;
6) [ $((n % 3)) -eq 0 ] && echo "[WARN] stock of <b>tea</b> is low: $((n % 11)) left" >&2;;
7) echo "2026-01-05 10:00:00 DEBUG pool: 3 of 8 connections";;
esac
sleep 0.1
done
"""
BATCH = """
echo 'INFO batch begins'; mkdir -p /dev/shm/b
for round in 1 2 3; do
  dd if=/dev/urandom of=/dev/shm/b/$round bs=1M count=10 2>/dev/null
  timeout 4 sh -c 'while :; do :; done'; sleep 3
done
echo 'FATAL: out of patience' >&2; exit 3
"""
FETCH = "while :; do wget -q -O /dev/null http://{web}:8080/cache.bin; sleep 0.5; done"
FLAKY = "echo 'panic: no database'; sleep 1; exit 1"

#: Arguments of ContainerCreate, by name. `shop-admin` is never started: it could change the host.
CONTAINERS: dict[str, dict[str, Any]] = {
    "shop-web-1": {
        "image": "shop/web:1.0", "env": ["MODE=plain", "SECRET_TOKEN=not-a-real-one"],
        "host_config": {
            "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18480"}]}, "Memory": 64 * MIB,
            "ReadonlyRootfs": True, "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "PidsLimit": 64,
            "RestartPolicy": {"Name": "unless-stopped"}, "NanoCpus": 500_000_000, "NetworkMode": "shop-net",
            "Binds": ["shop-pages:/pages:ro"],
        },
    },
    "shop-web-2": {
        "image": "shop/web:1.1", "env": ["MODE=fast", "DEBUG=1"],
        "host_config": {
            "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18481"}]}, "NetworkMode": "shop-net",
            "Binds": ["/etc/hostname:/host/name:ro", "shop-pages:/pages"],
        },
    },
    "shop-api": {"image": "busybox", "cmd": ["sh", "-c", API], "host_config": {"NetworkMode": "shop-net"},
                 "labels": {"price": "$5 and $6", "note": "<b>bold</b>"}},
    "shop-batch": {"image": "shop/base:1", "cmd": ["sh", "-c", BATCH], "host_config": {"Memory": 96 * MIB}},
    "shop-flaky": {"image": "busybox", "cmd": ["sh", "-c", FLAKY],
                   "host_config": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}},
    "shop-fetch": {"image": "busybox", "cmd": ["sh", "-c", FETCH.format(web="shop-web-2")],
                   "host_config": {"NetworkMode": "shop-net"}},
    "shop-admin": {
        "image": "shop/tools:1", "cmd": ["sh"], "user": "0", "tty": True,
        "host_config": {
            "Privileged": True, "PidMode": "host", "NetworkMode": "host", "CapAdd": ["SYS_ADMIN", "NET_ADMIN"],
            "Binds": ["/var/run/docker.sock:/var/run/docker.sock", "/etc:/host/etc"],
        },
    },
    "shop-mirror": {
        "image": "shop/web:1.0",
        "host_config": {"PortBindings": {"8080/tcp": [{"HostIp": "", "HostPort": "18480"}]}},
    },
}  # fmt: skip
NOT_STARTED = {"shop-admin", "shop-mirror"}


def build(lab: Lab, session: str) -> None:
    """Build the images, with the engine's own builder."""
    tags = [tag for image in lab.call("ImageList").json() for tag in image["RepoTags"] or []]
    busybox = next(tag for tag in tags if "busybox" in tag)
    for tag, text in DOCKERFILES.items():
        dockerfile, page = text.format(busybox=busybox).encode(), b"<h1>The shop</h1>\n" * 40
        response = lab.call(
            "ImageBuild", body=tar_of(("Dockerfile", dockerfile), ("index.html", page)), t=tag, rm=True, forcerm=True,
            labels={"dockerlab.session": session}, content_type="application/x-tar", timeout=120,
        )  # fmt: skip
        if b"errorDetail" in response.body or b'"error"' in response.body:
            raise SystemExit(f"{tag}: {response.text[-500:]}")


def create(lab: Lab, session: str, names: list[str]) -> None:
    """Create containers, and the volume and the network that they use."""
    label = {"dockerlab.session": session}
    lab.call("NetworkCreate", name="shop-net", labels=label)
    lab.call("VolumeCreate", name="shop-pages", labels=label)
    for name in names:
        arguments = dict(CONTAINERS[name])
        arguments["labels"] = {**arguments.get("labels", {}), **label}
        lab.call("ContainerCreate", name=name, **arguments)


def start(lab: Lab, names: list[str]) -> None:
    """Start those of the containers that may run."""
    for name in names:
        if name not in NOT_STARTED:
            lab.call("ContainerStart", id=name)
            time.sleep(0.2)


def remove(lab: Lab) -> None:
    """Remove every object of a shop that exists."""
    for name in CONTAINERS:
        with suppress(EngineError):
            lab.call("ContainerDelete", id=name, force=True, v=True)
    for operation, name in (("NetworkDelete", "shop-net"), ("VolumeDelete", "shop-pages")):
        with suppress(DockerlabError):
            lab.call(operation, **{"id" if operation == "NetworkDelete" else "name": name})
    for tag in reversed(DOCKERFILES):
        with suppress(EngineError):
            lab.call("ImageDelete", name=tag, force=True)


@contextmanager
def shop(lab: Lab, session: str, names: list[str] | None = None) -> Iterator[list[str]]:
    """Build the images and create the containers. Remove all of them afterwards."""
    containers = list(CONTAINERS) if names is None else names
    remove(lab)
    try:
        build(lab, session)
        create(lab, session, containers)
        yield containers
    finally:
        remove(lab)
