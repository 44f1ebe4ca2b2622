"""Names for the images of a test, and containers that run to their end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from plain_http import ask


@pytest.fixture
def image_name(practice_host: str) -> Iterator[str]:
    """Give a name for images of this test. All images whose names begin with it are removed afterwards."""
    name = f"t{uuid.uuid4().hex[:10]}"
    yield name
    filters = quote(json.dumps({"reference": [f"{name}*", f"*/{name}*"]}))
    for image in ask(practice_host, "GET", f"/images/json?filters={filters}")[1]:
        for tag in image["RepoTags"]:
            ask(practice_host, "DELETE", f"/images/{quote(tag, safe='')}?force=1")


@pytest.fixture
def run(practice_host: str, labels: dict[str, str]) -> Callable[..., str]:
    """Give a function that runs a container to its end and returns its id."""

    def run_container(image: str, command: list[str], **config: Any) -> str:
        body = {"Image": image, "Cmd": command, "Labels": labels, **config}
        status, container = ask(practice_host, "POST", "/containers/create", body)
        assert status == 201, container
        assert ask(practice_host, "POST", f"/containers/{container['Id']}/start")[0] == 204
        ask(practice_host, "POST", f"/containers/{container['Id']}/wait")
        return str(container["Id"])

    return run_container
