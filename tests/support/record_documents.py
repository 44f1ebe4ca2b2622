#!/usr/bin/env python3
"""Record what an engine says of the small shop: python tests/support/record_documents.py HOST NAME [SESSION]

HOST is an address, or "practice" for a new practice engine.
Writes tests/recordings/NAME/*.json, one document a line. Only the directory in which this engine keeps its data is
written as the usual one, and the session as `recording`; everything else stands as the engine said it.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import fleet
from own_engine import own_engine

import dockerlab
from dockerlab.lab.lab import Lab
from dockerlab.protocol.streams import json_lines

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
NAMES = ["shop-web-1", "shop-web-2", "shop-flaky", "shop-admin"]


def stats(lab: Lab) -> list[Any]:
    """One sample each, then two samples in one document, and one of a container that does not run."""
    running = [lab.call("ContainerStats", id=name, stream=False, one_shot=True).json() for name in NAMES[:2]]
    pairs = [lab.call("ContainerStats", id=name, stream=False).json() for name in NAMES[:2]]
    for name in (NAMES[-1],):
        try:
            pairs.append(lab.call("ContainerStats", id=name, stream=False, one_shot=True).json())
        except (dockerlab.EngineError, ValueError) as error:  # Podman refuses where Docker answers with zeros
            sys.stderr.write(f"{error}\n")
    return [*running, *pairs]


def stream(lab: Lab, session: str) -> list[Any]:
    """Two documents of the stream of a container that is busy and may use half a processor."""
    made = lab.call(
        "ContainerCreate", image="busybox", cmd=["sh", "-c", "while :; do :; done"],
        labels={"dockerlab.session": session}, host_config={"NanoCpus": 500_000_000},
    ).json()["Id"]  # fmt: skip
    try:
        lab.call("ContainerStart", id=made)
        time.sleep(1)
        with lab.open("ContainerStats", id=made, timeout=20) as answer:
            return list(islice(json_lines(answer.chunks()), 2))
    finally:
        lab.call("ContainerDelete", id=made, force=True)


def events(lab: Lab, since: float) -> list[Any]:
    """What happened to the shop; nobody else's events."""
    made = lab.call("ContainerExec", id=NAMES[0], cmd=["echo", "a: b"], attach_stdout=True).json()
    lab.session.post(lab.url(f"/exec/{made['Id']}/start"), json={"Detach": False}, timeout=10).content  # noqa: B018
    lab.call("ContainerStop", id=NAMES[1], t=1)
    lab.call("ContainerRename", id=NAMES[1], name=NAMES[1] + "-old")
    lab.call("ContainerRename", id=NAMES[1] + "-old", name=NAMES[1])
    time.sleep(1)
    with lab.open("SystemEvents", since=str(int(since)), until=str(int(time.time()) + 1), timeout=20) as answer:
        found = list(json_lines(answer.chunks()))
    return [one for one in found if "shop" in json.dumps(one)]


def disk(lab: Lab) -> list[Any]:
    """The disk use of the shop's images and containers, of what it counts in all only the layers."""
    whole = lab.call("SystemDataUsage", timeout=60).json()
    whole["Images"] = [
        one for one in whole["Images"] or [] if "shop" in json.dumps(one) or "busybox" in json.dumps(one)
    ]
    whole["Containers"] = [one for one in whole["Containers"] or [] if "shop" in json.dumps(one.get("Names"))]
    whole["Volumes"] = [one for one in whole["Volumes"] or [] if "shop" in json.dumps(one)]
    whole["BuildCache"] = []
    return [whole]


def everything(lab: Lab, session: str) -> dict[str, list[Any]]:
    """Record one of each."""
    since = time.time()
    tags = list(fleet.DOCKERFILES)
    with fleet.shop(lab, session, NAMES) as names:
        fleet.start(lab, names)
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


def written(documents: list[Any], root: str, session: str) -> str:
    """Write a list of documents, one a line, with the usual directory in place of this engine's."""
    return usual(
        "[\n" + ",\n".join(json.dumps(one, separators=(",", ":")) for one in documents) + "\n]\n", root, session
    )


def usual(text: str, root: str, session: str) -> str:
    """Put the usual directory in place of the one where this engine keeps its data, and one name for any session."""
    text = text.replace(session, "recording")
    place = "/var/lib/containers/storage" if root.endswith("storage") else "/var/lib/docker"
    for inner in (root, str(Path(root).parent), str(Path(root).parent.parent)) if root.startswith("/tmp/") else ():
        if len(Path(inner).parts) > 3:
            text = text.replace(inner, place)
            place = str(Path(place).parent)
    return text


def main(host: str, name: str, session: str = "recording") -> None:
    """Record one engine."""
    with own_engine() if host == "practice" else nullcontext(host) as address, dockerlab.connect(address) as lab:
        root = lab.call("SystemInfo").json()["DockerRootDir"]
        found = everything(lab, session)
        folder = RECORDINGS / name
        folder.mkdir(parents=True, exist_ok=True)
        for what, documents in found.items():
            (folder / f"{what}.json").write_text(written(documents, root, session), "utf-8")
            sys.stdout.write(f"{name}/{what}.json: {len(documents)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
