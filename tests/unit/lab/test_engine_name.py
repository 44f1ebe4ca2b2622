"""A Lab names its engine. The version responses are recorded from real engines."""

from __future__ import annotations

import json

import pytest
from recordings import ENGINES, recorded_documents
from servers import faulty_engine

NAMES = {
    "docker-20.10": "Docker 20.10.24+dfsg1",
    "docker-26.1": "Docker 26.1.5+dfsg1",
    "docker-28.5": "Docker 28.5.2+dfsg4",
    "podman-4.3": "Podman 4.3.1",
    "podman-5.4": "Podman 5.4.2",
    "practice": "dockerlab practice engine 0.1.0",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_has_its_own_name_and_version(engine: str) -> None:
    (version,) = recorded_documents(engine, "version")
    body = json.dumps(version).encode()
    with faulty_engine(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body, "keep") as (lab, _):
        assert lab.engine == NAMES[engine]
        assert repr(lab).startswith(f"<Lab {NAMES[engine]} · API ")
