"""Tables of the image operations, and of the progress that pull, push, build and load tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import BOOLEAN, INTEGER, OBJECT, TEXT, TIME, Column, array_table, count_or_none, object_list

__all__ = [
    "ATTESTATIONS",
    "DELETED",
    "HISTORY",
    "LIST",
    "PROGRESS",
    "SEARCH",
    "progress_table",
]

NONE = "<none>"


def _joined(names: list[str]) -> str:
    return ", ".join(name for name in names if not name.startswith(NONE))


LIST = (
    Column("repo_tags", "RepoTags", TEXT, "its names, with commas between them", convert=_joined),
    Column("size_bytes", "Size", INTEGER, "all its layers together", "bytes"),
    Column("created", "Created", TIME, "when it was built", "UTC"),
    Column("containers", "Containers", INTEGER, "containers that use it; <NA> if not counted", convert=count_or_none),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("repo_digests", "RepoDigests", TEXT, "its names by digest", convert=_joined),
    Column(
        "shared_size_bytes", "SharedSize", INTEGER, "shared with others; <NA> if not counted", "bytes", count_or_none
    ),
    Column("parent_id", "ParentId", TEXT, "the image it was built from, if the engine knows"),
    Column("id", "Id", TEXT, "its id"),
)

HISTORY = (
    Column("created", "Created", TIME, "when the layer was made", "UTC"),
    Column("created_by", "CreatedBy", TEXT, "the command that made it"),
    Column("size_bytes", "Size", INTEGER, "what it adds; 0 for one that only changes settings", "bytes"),
    Column("comment", "Comment", TEXT, "a remark: the builder's name, or the one given at a commit or an import"),
    Column("tags", "Tags", TEXT, "names of the image that ends here", convert=_joined),
    Column("id", "Id", TEXT, "the image that ends here; <missing> for one that isn't an image on this engine"),
)

SEARCH = (
    Column("name", "name", TEXT, "the image's name, to be pulled as it stands"),
    Column("description", "description", TEXT, "what its owner says about it"),
    Column("stars", "star_count", INTEGER, "how many users marked it"),
    Column("official", "is_official", BOOLEAN, "one of the registry's own"),
    Column("automated", "is_automated", BOOLEAN, "built by the registry; no longer told"),
)

DELETED = (
    Column("untagged", "Untagged", TEXT, "a name that was taken from the image"),
    Column("deleted", "Deleted", TEXT, "an image or a layer that is gone"),
)

ATTESTATIONS = (
    Column("digest", "Descriptor.digest", TEXT, "the attestation's digest"),
    Column("media_type", "Descriptor.mediaType", TEXT, "its form"),
    Column("size_bytes", "Descriptor.size", INTEGER, "its size", "bytes"),
    Column("predicate_type", "PredicateType", TEXT, "what it attests: a bill of materials, where it was built"),
    Column("statement", "Statement", OBJECT, "the statement itself, a dict; only with statement=True"),
)


def _line(text: str) -> str:
    return text.removesuffix("\n")


PROGRESS = (
    Column("id", "id", TEXT, "the layer, or the tag, that it is about"),
    Column("status", "status", TEXT, "what is done with it"),
    Column("current_bytes", "progressDetail.current", INTEGER, "how much of it is done", "bytes"),
    Column("total_bytes", "progressDetail.total", INTEGER, "how much it is in all, where that is known", "bytes"),
    Column("stream", "stream", TEXT, "a line of a build, or of a load", convert=_line),
    Column("error", "error", TEXT, "what went wrong; it is the last record then"),
    Column("aux", "aux", OBJECT, "a result: the image's id, or the digest under which it was pushed; a dict"),
)


def progress_table(records: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Make the table of a stream of progress: of a pull, a push, a build or a load."""
    return array_table(PROGRESS, [_whole(record) for record in object_list(records)])


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    """Take the error's words from its details where they stand only there."""
    detail = record.get("errorDetail")
    if isinstance(detail, dict) and "error" not in record:
        return record | {"error": detail.get("message")}
    return record
