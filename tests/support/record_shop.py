#!/usr/bin/env python3
"""Record the data of the analysis notebooks: python tests/support/record_shop.py HOST [SESSION]

Starts the small shop of fleet.py on the engine at HOST (Docker 28.5 was asked), lets it live for a minute, removes it,
and writes notebooks/data/shop. Only the directory in which this engine keeps its data is written as the usual one.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import fleet
import pandas as pd
from record_documents import disk, usual, written

import dockerlab
from dockerlab.lab.lab import Lab
from dockerlab.lab.recorder import record
from dockerlab.protocol.streams import json_lines

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "data" / "shop"
SECONDS = 60
FIRST = ["shop-web-1", "shop-web-2", "shop-fetch"]
LATER = ["shop-api", "shop-batch", "shop-flaky"]


def live(host: str) -> None:
    """Do to the shop, in a thread, what happens in such a minute."""
    with dockerlab.connect(host) as lab:
        time.sleep(4)
        fleet.start(lab, LATER)
        time.sleep(20)
        lab.call("ContainerRestart", id="shop-web-2", t=1)
        time.sleep(8)
        lab.call("ContainerExec", id="shop-web-1", cmd=["ps"])
        lab.call("ContainerPause", id="shop-fetch")
        time.sleep(5)
        lab.call("ContainerUnpause", id="shop-fetch")
        time.sleep(10)
        lab.call("ContainerStop", id="shop-fetch", t=1)


def documents(lab: Lab, since: float) -> dict[str, list[Any]]:
    """Ask for all that the notebooks read besides the recording."""
    until = str(int(time.time()) + 1)
    with lab.open("SystemEvents", since=str(int(since)), until=until, timeout=30) as answer:
        events = [one for one in json_lines(answer.chunks()) if "shop-" in json.dumps(one)]
    log = lab.container.logs("shop-api", timestamps=True)
    lines = zip(log["time"].map(lambda moment: moment.isoformat()), log["stream"], log["message"], strict=True)
    return {
        "events": events,
        "containers": [lab.call("ContainerInspect", id=name).json() for name in fleet.CONTAINERS],
        "images": [lab.call("ImageInspect", name=tag).json() for tag in fleet.DOCKERFILES],
        "history": [{"image": tag, "history": lab.call("ImageHistory", name=tag).json()} for tag in fleet.DOCKERFILES],
        "disk": disk(lab),
        "log": [list(line) for line in lines],
    }


def copy(path: Path, root: str, session: str) -> None:
    """Copy a part of a recording, with the usual directory in place of this engine's."""
    table = pd.read_parquet(path)
    for name in table.columns:
        if pd.api.types.is_string_dtype(table[name].dtype):
            table[name] = table[name].map(lambda text: usual(text, root, session), na_action="ignore")
    table.to_parquet(FOLDER / path.name, index=False, compression="zstd")


def main(host: str, session: str = "recording") -> None:
    """Record once."""
    with dockerlab.connect(host) as lab, tempfile.TemporaryDirectory() as folder:
        root = lab.call("SystemInfo").json()["DockerRootDir"]
        with fleet.shop(lab, session):
            since = time.time()
            fleet.start(lab, FIRST)
            life = threading.Thread(target=live, args=(host,))
            life.start()
            made = record(
                lab, Path(folder) / "shop", seconds=SECONDS, containers={"label": [f"dockerlab.session={session}"]}
            )
            life.join()
            FOLDER.mkdir(parents=True, exist_ok=True)
            for part in ("stats", "events", "containers"):
                copy(Path(folder) / "shop" / f"{part}.parquet", root, session)
            for what, found in documents(lab, since).items():
                (FOLDER / f"{what}.json").write_text(written(found, root, session), "utf-8")
    sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
