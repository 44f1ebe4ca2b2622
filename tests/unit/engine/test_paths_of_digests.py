"""Only the 64 digits of a digest, and only valid names, become part of a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dockerlab.engine.common.events import Events
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images.images import Image
from dockerlab.engine.images.layers import Layers
from dockerlab.engine.images.trees import Trees
from dockerlab.engine.networks.networks import Networks
from dockerlab.engine.storage.volumes import Volumes

DIGITS = "0123456789abcdef" * 4
NOT_DIGESTS = [
    "sha256:../trees/x",
    f"sha256:{DIGITS}/../x",
    f"sha256:{DIGITS}\n",
    f"sha256:{DIGITS.upper()}",
    f"sha256:{DIGITS[1:]}",
    DIGITS,
    f"sha512:{DIGITS}",
    "/etc/passwd",
    "..",
]


@pytest.mark.parametrize("text", NOT_DIGESTS)
def test_no_path_without_a_digest(tmp_path: Path, text: str) -> None:
    layers = Layers(tmp_path / "layers")
    trees = Trees(tmp_path / "trees", layers)
    for path in (layers.path, layers.remove, trees.path, lambda digest: Image(digest, {}, []).hex):
        with pytest.raises(BadParameter, match="invalid checksum digest"):
            path(text)
    assert not layers.has(text)


def test_the_path_of_a_digest(tmp_path: Path) -> None:
    layers = Layers(tmp_path / "layers")
    assert layers.path(f"sha256:{DIGITS}") == tmp_path / "layers" / f"{DIGITS}.tar"
    assert Trees(tmp_path / "trees", layers).path("") == tmp_path / "trees" / "empty"


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "/etc", "a\n", "", ".a", "a\0b"])
def test_no_path_without_the_name_of_a_volume(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadParameter, match="is not the name of a volume"):
        Volumes(tmp_path, Events()).data_directory(name)


@pytest.mark.parametrize("identity", ["../x", DIGITS[1:], f"{DIGITS}\n", ""])
def test_no_path_without_the_id_of_a_network(tmp_path: Path, identity: str) -> None:
    network: dict[str, Any] = {"Id": identity, "Name": "x", "Driver": "bridge"}
    with pytest.raises(BadParameter, match="is not the id of a network"):
        Networks(tmp_path, Events(), False).remove(network)
