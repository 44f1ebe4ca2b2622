"""What contract tests make: names of their own, tars, and things that are gone again afterwards, whatever happens."""

from __future__ import annotations

import contextlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from dockerlab.errors import EngineError

__all__ = ["container", "field", "gone", "name_of", "tar_of", "until"]


def name_of(labels: dict[str, str], prefix: str = "box") -> str:
    """Give a name that belongs to one test."""
    return f"{prefix}-{labels['dockerlab.test'][-12:]}"


def tar_of(files: dict[str, bytes]) -> bytes:
    """Make a tar of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def field(table: Any, name: str) -> Any:
    """Give one value of a long table."""
    return dict(zip(table["field"], table["value"], strict=True))[name]


def until(seen: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something to be seen."""
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


@contextlib.contextmanager
def container(lab: Any, labels: dict[str, str], *cmd: str, start: bool = True, **config: Any) -> Iterator[str]:
    """Give a container that runs a command; the fixture `labels` takes it away."""
    name = name_of(labels, config.pop("prefix", "box"))
    lab.container.create("busybox", name=name, cmd=list(cmd), labels=labels, **config)
    if start:
        lab.container.start(name)
    yield name


@contextlib.contextmanager
def gone(call: Callable[[], Any]) -> Iterator[None]:
    """Take something away afterwards, if it is still there."""
    try:
        yield
    finally:
        with contextlib.suppress(EngineError):
            call()
