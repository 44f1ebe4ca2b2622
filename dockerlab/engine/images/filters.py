"""Selects images: the filters of the image list and of prune."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import timestamps
from dockerlab.engine.common.filters import fits_labels
from dockerlab.engine.common.timestamps import nanoseconds
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images import references

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["images_to_list", "images_to_prune", "remove_unmatched_names"]

LIST_FILTERS = ("before", "dangling", "label", "label!", "reference", "since", "until")
PRUNE_FILTERS = ("dangling", "label", "label!", "until")
TRUE, FALSE = ("1", "true", "t", "yes"), ("0", "false", "f", "no")
Filters = dict[str, list[str]]
Test = Callable[["Image"], bool]


def images_to_list(images: Images, filters: Filters, include_intermediate: bool) -> list[Image]:
    """Return the images that match, the newest first. Raises BadParameter.

    Intermediate images are untagged images that other images were built from.
    """
    _check_names(filters, LIST_FILTERS)
    dangling = _parse_dangling(filters)
    tests: list[Test] = [lambda image: fits_labels(image.config.get("Labels") or {}, filters)]
    for name in ("before", "since"):
        for word in filters.get(name, [])[-1:]:
            tests.append(_created(nanoseconds(images.require(word).created), before=name == "before"))
    for word in filters.get("until", [])[-1:]:
        tests.append(_created(timestamps.filter_time(word), before=True))
    if patterns := filters.get("reference", []):
        tests.append(lambda image: any(_matches_any(patterns, name) for name in image.names))
    matches = []
    with images.lock:
        for image in images.all.values():
            is_untagged = not image.names
            is_intermediate = is_untagged and bool(images.children(image))
            if is_intermediate and not include_intermediate:
                continue
            if dangling in (None, is_untagged) and all(test(image) for test in tests):
                matches.append(image)
    return sorted(matches, key=lambda image: nanoseconds(image.created), reverse=True)


def images_to_prune(images: Images, filters: Filters, used_ids: set[str]) -> list[Image]:
    """Return the images without children that a prune removes; `used_ids` are in use. Raises BadParameter."""
    _check_names(filters, PRUNE_FILTERS)
    include_tagged = _parse_dangling(filters) is False
    until = timestamps.filter_time(filters["until"][-1]) if filters.get("until") else 0
    matches = []
    for image in images.all.values():
        labels = image.config.get("Labels") or {}
        is_unused = image.id not in used_ids and fits_labels(labels, filters) and not images.children(image)
        is_recent = until and nanoseconds(image.created) >= until
        if is_unused and (include_tagged or not image.names) and not is_recent:
            matches.append(image)
    return matches


def remove_unmatched_names(summary: dict[str, Any], filters: Filters) -> dict[str, Any]:
    """Remove from an image's summary the names that don't match the `reference` filter."""
    patterns = filters.get("reference", [])
    for key in ("RepoTags", "RepoDigests") if patterns else ():
        names = summary[key]
        if isinstance(names, list):
            summary[key] = [name for name in names if _matches_any(patterns, name)]
    return summary


def _check_names(filters: Filters, allowed: tuple[str, ...]) -> None:
    for name in filters:
        if name not in allowed:
            raise BadParameter(f"invalid filter '{name}'")


def _parse_dangling(filters: Filters) -> bool | None:
    """Return the value of the `dangling` filter, or None without one. Raises BadParameter."""
    words = filters.get("dangling", [])
    for word in words:
        if word.lower() not in (*TRUE, *FALSE):
            raise BadParameter(f"invalid filter 'dangling=[{word}]'")
    return words[-1].lower() in TRUE if words else None


def _created(moment: int, *, before: bool) -> Test:
    """Return a test for images created before a moment, or after it."""
    if before:
        return lambda image: nanoseconds(image.created) < moment
    return lambda image: nanoseconds(image.created) > moment


def _matches_any(patterns: list[str], name: str) -> bool:
    return any(_matches(pattern, name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    """Return whether a name matches a pattern, with or without its tag or digest."""
    repository = name.partition("@")[0] if "@" in name else name.rpartition(":")[0]
    return any(
        fnmatchcase(form, full_pattern) and form.count("/") == full_pattern.count("/")
        for form in (name, repository)
        for full_pattern in (pattern, references.familiar(pattern))
    )
