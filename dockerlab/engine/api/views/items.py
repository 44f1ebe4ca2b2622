"""The items of a list: one that can't be shown is left out, and the list goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

__all__ = ["items"]

T = TypeVar("T")
log = logging.getLogger("dockerlab.engine")
#: What has been logged already, because clients ask for lists again and again.
_reported: set[str] = set()


def items(objects: Iterable[T], view: Callable[[T], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the view of each object."""
    documents = []
    for each in objects:
        try:
            documents.append(view(each))
        # Records are checked when they are read, so this is a fault of the engine; other objects are still to be shown.
        except Exception:
            identity = str(getattr(each, "id", ""))
            if identity not in _reported:
                _reported.add(identity)
                log.exception("a list was sent without %s", identity)
    return documents
