"""One engine per module, whose doors get documents that Hypothesis invents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from doors import Doors


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Give the doors of an engine with a running container."""
    engine = Doors(tmp_path_factory.mktemp("fuzzing") / "state")
    yield engine
    engine.close()
