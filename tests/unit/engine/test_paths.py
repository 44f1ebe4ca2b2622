"""Paths inside a container are resolved within its root."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.engine.common.paths import resolve_in_root


def test_links_are_followed_within_the_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "way").symlink_to("/etc")
    (tmp_path / "up").symlink_to("../../../../etc")
    (tmp_path / "round").symlink_to("round")
    root = str(tmp_path)
    assert resolve_in_root(root, "/way/passwd") == f"{root}/etc/passwd"
    assert resolve_in_root(root, "/up/passwd") == f"{root}/etc/passwd"
    assert resolve_in_root(root, "/../../x") == f"{root}/x"
    assert resolve_in_root(root, "/way", follow=False) == f"{root}/way"
    assert resolve_in_root(root, "/way/a", mounts={"/etc": "/elsewhere"}) == "/elsewhere/a"
    with pytest.raises(OSError, match="too many levels"):
        resolve_in_root(root, "/round/x")
