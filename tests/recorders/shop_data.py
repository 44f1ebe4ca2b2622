#!/usr/bin/env python3
"""Record the data of the analysis notebooks: python tests/recorders/shop_data.py HOST [SESSION]

Runs the small shop of shop.py on the engine at HOST for a minute, removes it, and writes notebooks/data/shop. The
committed data is from Docker 28.5. The replacements are the same as in documents.py.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import shop
from documents import disk, json_text, with_replacements

import dockerlab
from dockerlab.lab.lab import Lab
from dockerlab.lab.recorder import record
from dockerlab.protocol.streams import json_lines

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "data" / "shop"
SECONDS = 60
FIRST = ["shop-web-1", "shop-web-2", "shop-fetch"]
LATER = ["shop-api", "shop-batch", "shop-flaky"]


def play_incidents(host: str) -> None:
    """Start, restart, pause and stop containers of the shop during the recorded minute."""
    with dockerlab.connect(host) as lab:
        time.sleep(4)
        shop.start(lab, LATER)
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
    """Return what the notebooks read besides the recording, by kind."""
    until = str(int(time.time()) + 1)
    with lab.open("SystemEvents", since=str(int(since)), until=until, timeout=30) as response:
        events = [event for event in json_lines(response.chunks()) if "shop-" in json.dumps(event)]
    log = lab.container.logs("shop-api", timestamps=True)
    lines = zip(log["time"].map(lambda moment: moment.isoformat()), log["stream"], log["message"], strict=True)
    return {
        "events": events,
        "containers": [lab.call("ContainerInspect", id=name).json() for name in shop.CONTAINERS],
        "images": [lab.call("ImageInspect", name=tag).json() for tag in shop.DOCKERFILES],
        "history": [{"image": tag, "history": lab.call("ImageHistory", name=tag).json()} for tag in shop.DOCKERFILES],
        "disk": disk(lab),
        "log": [list(line) for line in lines],
    }


def copy_table(path: Path, root: str, session: str) -> None:
    """Copy one table of a recording, with the replacements."""
    table = pd.read_parquet(path)
    for name in table.columns:
        if pd.api.types.is_string_dtype(table[name].dtype):
            table[name] = table[name].map(lambda text: with_replacements(text, root, session), na_action="ignore")
    table.to_parquet(FOLDER / path.name, index=False, compression="zstd")


def main(host: str, session: str = "recording") -> None:
    """Record the shop once."""
    with dockerlab.connect(host) as lab, tempfile.TemporaryDirectory() as folder:
        root = lab.call("SystemInfo").json()["DockerRootDir"]
        with shop.shop(lab, session):
            since = time.time()
            shop.start(lab, FIRST)
            incidents = threading.Thread(target=play_incidents, args=(host,))
            incidents.start()
            recording = record(
                lab, Path(folder) / "shop", seconds=SECONDS, containers={"label": [f"dockerlab.session={session}"]}
            )
            incidents.join()
            FOLDER.mkdir(parents=True, exist_ok=True)
            for name in ("stats", "events", "containers"):
                copy_table(Path(folder) / "shop" / f"{name}.parquet", root, session)
            for kind, records in documents(lab, since).items():
                (FOLDER / f"{kind}.json").write_text(json_text(records, root, session), "utf-8")
    sys.stdout.write(f"{recording}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
