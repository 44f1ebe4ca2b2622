"""The `filters` parameter of lists and prunes: reading it, and the filters that every kind of object has."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

from dockerlab.engine.common import timestamps
from dockerlab.engine.common.go_regexp import InvalidPattern, Pattern
from dockerlab.engine.faults import BadParameter

__all__ = ["fits_labels", "parse", "pattern_test", "prune_filter"]

PRUNE_FILTERS = ("label", "label!", "until")


def parse(text: str) -> dict[str, list[str]]:
    """Return the filters with their values.

    `text` is JSON with a list of values per name, or with a map as older clients send it. Raises BadParameter.
    """
    if not text:
        return {}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise BadParameter("invalid filter") from None
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise BadParameter("invalid filter")
    filters: dict[str, list[str]] = {}
    for name, values in document.items():
        if values is None:
            filters[name] = []
        elif isinstance(values, dict) and all(isinstance(on, bool) for on in values.values()):
            filters[name] = [value for value, on in values.items() if on]
        elif isinstance(values, list) and all(isinstance(value, str) for value in values):
            filters[name] = values
        else:
            raise BadParameter("invalid filter")
    return filters


def fits_labels(labels: dict[str, str], filters: dict[str, list[str]]) -> bool:
    """Return whether labels match every value of the filter `label`, and none of `label!`."""

    def has(value: str) -> bool:
        name, equals, text = value.partition("=")
        return name in labels and (not equals or labels[name] == text)

    return all(map(has, filters.get("label", []))) and not any(map(has, filters.get("label!", [])))


def pattern_test(values: list[str]) -> Callable[[str], bool]:
    """Return a function that says whether a text is one of the values, or matches one of them as a pattern.

    A pattern that is not valid matches only the same text, as in Docker.
    """
    patterns = []
    for value in dict.fromkeys(values):
        with contextlib.suppress(InvalidPattern):
            patterns.append(Pattern(value))
    return lambda text: text in values or any(pattern.search(text) for pattern in patterns)


def prune_filter(filters: dict[str, list[str]]) -> Callable[[dict[str, str], int], bool]:
    """Return a function that says, by labels and time of creation, whether a prune removes an object.

    Raises BadParameter.
    """
    for name in filters:
        if name not in PRUNE_FILTERS:
            raise BadParameter(f"invalid filter '{name}'")
    until = filters.get("until", [])
    if len(until) > 1:
        raise BadParameter("more than one until filter specified")
    last = timestamps.filter_time(until[0]) if until else 0
    return lambda labels, created: fits_labels(labels, filters) and (not last or created < last)
