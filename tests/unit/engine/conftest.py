"""A directory beside all trees of a test, which nothing in them may reach."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return the directory `outside` in the test's directory, with the text `secret` in its files."""
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    for name in ("file", "inner/file"):
        (outside / name).write_text("secret")
    return outside
