"""The engine of a module that tests one rung after another; the module has a fixture `rung`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engines import temporary_engine

from dockerlab.engine.processes.isolation import Rung


@pytest.fixture(scope="module")
def host(rung: Rung) -> Iterator[str]:
    """Start an engine with the rung."""
    with temporary_engine(rung.name) as address:
        yield address
