"""The columns of the image tables, and the table of the progress of pull, push, build and load."""

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
    Column("repo_tags", "RepoTags", TEXT, "its names, separated by commas", convert=_joined),
    Column("size_bytes", "Size", INTEGER, "the size of all its layers", "bytes"),
    Column("created", "Created", TIME, "when it was built", "UTC"),
    Column("containers", "Containers", INTEGER, "how many containers use it, if counted", convert=count_or_none),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("repo_digests", "RepoDigests", TEXT, "its names by digest", convert=_joined),
    Column("shared_size_bytes", "SharedSize", INTEGER, "shared with other images, if counted", "bytes", count_or_none),
    Column("parent_id", "ParentId", TEXT, "the image it was built from, if the engine knows it"),
    Column("id", "Id", TEXT, "its id"),
)

HISTORY = (
    Column("created", "Created", TIME, "when the step was executed", "UTC"),
    Column("created_by", "CreatedBy", TEXT, "the command of the step"),
    Column("size_bytes", "Size", INTEGER, "what the step adds; 0 if it only changes settings", "bytes"),
    Column("comment", "Comment", TEXT, "the builder's name, or the comment of a commit or an import"),
    Column("tags", "Tags", TEXT, "names of the image that ends with this step", convert=_joined),
    Column("id", "Id", TEXT, "the image that ends with this step; <missing> if this engine has no such image"),
)

SEARCH = (
    Column("name", "name", TEXT, "the image's name, as a pull needs it"),
    Column("description", "description", TEXT, "its owner's description"),
    Column("stars", "star_count", INTEGER, "number of users who starred it"),
    Column("official", "is_official", BOOLEAN, "whether the registry maintains it"),
    Column("automated", "is_automated", BOOLEAN, "whether the registry built it; registries no longer report this"),
)

DELETED = (
    Column("untagged", "Untagged", TEXT, "a name that the image lost"),
    Column("deleted", "Deleted", TEXT, "an image or a layer that was deleted"),
)

ATTESTATIONS = (
    Column("digest", "Descriptor.digest", TEXT, "the attestation's digest"),
    Column("media_type", "Descriptor.mediaType", TEXT, "its media type"),
    Column("size_bytes", "Descriptor.size", INTEGER, "its size", "bytes"),
    Column("predicate_type", "PredicateType", TEXT, "what it states: a bill of materials, how the image was built"),
    Column("statement", "Statement", OBJECT, "the statement itself, a dict; only with statement=True"),
)


def _line(text: str) -> str:
    return text.removesuffix("\n")


PROGRESS = (
    Column("id", "id", TEXT, "the layer or tag that this record is about"),
    Column("status", "status", TEXT, "what happens to it"),
    Column("current_bytes", "progressDetail.current", INTEGER, "number of bytes done", "bytes"),
    Column("total_bytes", "progressDetail.total", INTEGER, "total number of bytes, if known", "bytes"),
    Column("stream", "stream", TEXT, "a line of output of a build or a load", convert=_line),
    Column("error", "error", TEXT, "what went wrong, in the last record"),
    Column("aux", "aux", OBJECT, "a result, as a dict: the image's id, or the digest of the pushed image"),
)


def progress_table(records: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return the table of the progress records of a pull, a push, a build or a load."""
    return array_table(PROGRESS, [_with_error(record) for record in object_list(records)])


def _with_error(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with the error message as `error`, even if only `errorDetail` has it."""
    detail = record.get("errorDetail")
    if isinstance(detail, dict) and "error" not in record:
        return record | {"error": detail.get("message")}
    return record
