#!/usr/bin/env python3
"""Record an engine's responses about the small shop: python tests/recorders/documents.py HOST NAME [SESSION]

HOST is an address, or "practice" for a new practice engine. Writes tests/recordings/NAME/*.json, one document per line.
Two things are replaced: the engine's data directory becomes the usual one, and the session becomes `recording`.
Everything else stays as the engine sent it.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent.parent)]

import shop  # noqa: E402
from engines import temporary_engine  # noqa: E402

import dockerlab  # noqa: E402
from dockerlab.lab.lab import Lab  # noqa: E402
from dockerlab.protocol.streams import json_lines  # noqa: E402

RECORDINGS = HERE.parent / "recordings"
NAMES = ["shop-web-1", "shop-web-2", "shop-flaky", "shop-admin"]


def stats(lab: Lab) -> list[Any]:
    """Return one sample per container, then two samples in one document, and one of a container that is not running."""
    samples = [lab.call("ContainerStats", id=name, stream=False, one_shot=True).json() for name in NAMES[:2]]
    samples += [lab.call("ContainerStats", id=name, stream=False).json() for name in NAMES[:2]]
    try:
        samples.append(lab.call("ContainerStats", id=NAMES[-1], stream=False, one_shot=True).json())
    except (dockerlab.EngineError, ValueError) as error:  # Podman refuses where Docker answers with zeros
        sys.stderr.write(f"{error}\n")
    return samples


def stream(lab: Lab, session: str) -> list[Any]:
    """Return two documents of the stats stream of a busy container that may use half a processor."""
    container = lab.call(
        "ContainerCreate", image="busybox", cmd=["sh", "-c", "while :; do :; done"],
        labels={"dockerlab.session": session}, host_config={"NanoCpus": 500_000_000},
    ).json()["Id"]  # fmt: skip
    try:
        lab.call("ContainerStart", id=container)
        time.sleep(1)
        with lab.open("ContainerStats", id=container, timeout=20) as response:
            return list(islice(json_lines(response.chunks()), 2))
    finally:
        lab.call("ContainerDelete", id=container, force=True)


def events(lab: Lab, since: float) -> list[Any]:
    """Return the events of the shop, and nobody else's."""
    exec_ = lab.call("ContainerExec", id=NAMES[0], cmd=["echo", "a: b"], attach_stdout=True).json()
    lab.session.post(lab.url(f"/exec/{exec_['Id']}/start"), json={"Detach": False}, timeout=10).content  # noqa: B018
    lab.call("ContainerStop", id=NAMES[1], t=1)
    lab.call("ContainerRename", id=NAMES[1], name=NAMES[1] + "-old")
    lab.call("ContainerRename", id=NAMES[1] + "-old", name=NAMES[1])
    time.sleep(1)
    with lab.open("SystemEvents", since=str(int(since)), until=str(int(time.time()) + 1), timeout=20) as response:
        records = list(json_lines(response.chunks()))
    return [record for record in records if "shop" in json.dumps(record)]


def disk(lab: Lab) -> list[Any]:
    """Return the disk usage of the shop's images, containers and volumes. Of the totals only the layers' stay."""
    usage = lab.call("SystemDataUsage", timeout=60).json()
    usage["Images"] = [
        image for image in usage["Images"] or [] if "shop" in json.dumps(image) or "busybox" in json.dumps(image)
    ]
    usage["Containers"] = [item for item in usage["Containers"] or [] if "shop" in json.dumps(item.get("Names"))]
    usage["Volumes"] = [volume for volume in usage["Volumes"] or [] if "shop" in json.dumps(volume)]
    usage["BuildCache"] = []
    return [usage]


def record(lab: Lab, session: str) -> dict[str, list[Any]]:
    """Run the shop and return the documents by kind."""
    since = time.time()
    tags = list(shop.DOCKERFILES)
    with shop.shop(lab, session, NAMES) as names:
        shop.start(lab, names)
        time.sleep(2)
        return {
            "stats": stats(lab),
            "stream": stream(lab, session),
            "containers": [lab.call("ContainerInspect", id=name).json() for name in names],
            "images": [lab.call("ImageInspect", name=tag).json() for tag in tags],
            "history": [{"image": tag, "history": lab.call("ImageHistory", name=tag).json()} for tag in tags],
            "disk": disk(lab),
            "events": events(lab, since),
            "version": [lab.call("SystemVersion").json()],
        }


def json_text(documents: list[Any], root: str, session: str) -> str:
    """Return documents as JSON, one per line, with the replacements."""
    lines = ",\n".join(json.dumps(document, separators=(",", ":")) for document in documents)
    return with_replacements(f"[\n{lines}\n]\n", root, session)


def with_replacements(text: str, root: str, session: str) -> str:
    """Replace the engine's data directory by the usual one, and the session by one name."""
    text = text.replace(session, "recording")
    usual = "/var/lib/containers/storage" if root.endswith("storage") else "/var/lib/docker"
    parents = (root, str(Path(root).parent), str(Path(root).parent.parent)) if root.startswith("/tmp/") else ()
    for directory in parents:
        if len(Path(directory).parts) > 3:
            text = text.replace(directory, usual)
            usual = str(Path(usual).parent)
    return text


def main(host: str, name: str, session: str = "recording") -> None:
    """Record one engine."""
    with temporary_engine() if host == "practice" else nullcontext(host) as address, dockerlab.connect(address) as lab:
        root = lab.call("SystemInfo").json()["DockerRootDir"]
        folder = RECORDINGS / name
        folder.mkdir(parents=True, exist_ok=True)
        for kind, documents in record(lab, session).items():
            (folder / f"{kind}.json").write_text(json_text(documents, root, session), "utf-8")
            sys.stdout.write(f"{name}/{kind}.json: {len(documents)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
