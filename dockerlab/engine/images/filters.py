"""Which images are wanted: the filters of the list and of prune."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dockerlab.engine.common import timestamps
from dockerlab.engine.common.timestamps import nanoseconds
from dockerlab.engine.containers.filters import fits_labels
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images import references

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["listed", "prunable", "shown"]

FILTERS = ("before", "dangling", "label", "label!", "reference", "since", "until")
PRUNE_FILTERS = ("dangling", "label", "label!", "until")
YES, NO = ("1", "true", "t", "yes"), ("0", "false", "f", "no")
Filters = dict[str, list[str]]
Keep = Callable[["Image"], bool]


def _known(filters: Filters, names: tuple[str, ...]) -> None:
    for name in filters:
        if name not in names:
            raise BadParameter(f"invalid filter '{name}'")


def _dangling(filters: Filters) -> bool | None:
    """Read `dangling`: yes, no, or not asked. Raises BadParameter."""
    words = filters.get("dangling", [])
    for word in words:
        if word.lower() not in (*YES, *NO):
            raise BadParameter(f"invalid filter 'dangling=[{word}]'")
    return words[-1].lower() in YES if words else None


def listed(images: Images, filters: Filters, everything: bool) -> list[Image]:
    """Give those that are wanted, the newest first; images in between only with `everything`. Raises BadParameter."""
    _known(filters, FILTERS)
    dangling = _dangling(filters)
    tests: list[Keep] = [lambda image: fits_labels(image.config.get("Labels") or {}, filters)]
    for name in ("before", "since"):
        for word in filters.get(name, [])[-1:]:
            tests.append(_placed(nanoseconds(images.require(word).created), name == "before"))
    for word in filters.get("until", [])[-1:]:
        tests.append(_placed(timestamps.filtered(word), True))
    patterns = filters.get("reference", [])
    if patterns:
        tests.append(lambda image: any(_matches(pattern, name) for pattern in patterns for name in image.names))
    found = []
    with images.lock:
        for image in images.all.values():
            bare = not image.names
            between = bare and bool(images.children(image))
            fits = bare if dangling else not (bare and dangling is False)
            if fits and not (between and not everything) and all(test(image) for test in tests):
                found.append(image)
    return sorted(found, key=lambda image: nanoseconds(image.created), reverse=True)


def shown(summary: dict[str, object], filters: Filters) -> dict[str, object]:
    """Leave out of an image's summary the names that were not asked for."""
    patterns = filters.get("reference", [])
    for key in ("RepoTags", "RepoDigests") if patterns else ():
        names = summary[key]
        if isinstance(names, list):
            summary[key] = [name for name in names if any(_matches(pattern, name) for pattern in patterns)]
    return summary


def _placed(moment: int, before: bool) -> Keep:
    if before:
        return lambda image: nanoseconds(image.created) < moment
    return lambda image: nanoseconds(image.created) > moment


def _matches(pattern: str, name: str) -> bool:
    """Hold a name against a pattern, with and without its tag."""
    repository = name.partition("@")[0] if "@" in name else name.rpartition(":")[0]
    return any(
        fnmatchcase(one, wanted) and one.count("/") == wanted.count("/")
        for one in (name, repository)
        for wanted in (pattern, references.familiar(pattern))
    )


def prunable(images: Images, filters: Filters, used: set[str]) -> list[Image]:
    """Give the images that a prune removes, those that are made from others first. Raises BadParameter."""
    _known(filters, PRUNE_FILTERS)
    everything = _dangling(filters) is False
    last = timestamps.filtered(filters["until"][-1]) if filters.get("until") else 0
    found = []
    for image in images.all.values():
        labels = image.config.get("Labels") or {}
        fits = image.id not in used and fits_labels(labels, filters) and not images.children(image)
        if fits and (everything or not image.names) and not (last and nanoseconds(image.created) >= last):
            found.append(image)
    return found
