"""Reads the documents of images: configurations, manifests and indexes from outside, and the records on disk.

A document from outside is refused with the message that Docker has for it; nothing else in the engine checks it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.digests import digits_of, is_digest
from dockerlab.engine.common.go_json import InvalidJson
from dockerlab.engine.common.go_types import WrongType, read
from dockerlab.engine.common.timestamps import nanoseconds
from dockerlab.engine.faults import BadParameter, Fault
from dockerlab.engine.images import references

__all__ = ["MAX_CONFIG_BYTES", "check_digest", "read_config", "read_document", "read_record", "set_aside"]

MAX_CONFIG_BYTES = 8 << 20
#: The largest size that a client can read.
MAX_SIZE = (1 << 63) - 1
#: The attributes of an image in its record -> what each must be.
RECORD = {"id": str, "sizes": list, "tags": list, "digests": list, "parent": str, "tagged": str}
Record = dict[str, Any]


def read_config(data: bytes) -> Record:
    """Return an image's configuration. Raises BadParameter if Docker would not accept it."""
    document: Record = read_document("image.Image", data)
    if document.get("rootfs") is None:
        raise BadParameter("invalid image JSON, no RootFS key")
    document["rootfs"].setdefault("diff_ids", [])
    return document


def read_document(kind: str, data: bytes, *, first_value_only: bool = False) -> Any:
    """Return a document as one of Go's types. Raises BadParameter with Go's message."""
    try:
        value = read(kind, data, first_value_only=first_value_only)
    except (WrongType, InvalidJson) as error:
        raise BadParameter(str(error)) from None
    return {} if value is None and not kind.startswith("[") else value


def check_digest(digest: str) -> str:
    """Return a digest that a manifest names. Raises BadParameter if it is invalid."""
    digits_of(digest)
    return digest


# -- on disk ---------------------------------------------------------------------------------------------------


def read_record(path: Path) -> tuple[Record, Record]:
    """Return the record in `HEX.json` and the configuration beside it. Raises ValueError with the reason."""
    record = json_files.load(path)
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")
    built_here = record.get("built_here") is True  # records of older engines don't say so
    record = {name: record[name] for name in RECORD if name in record}
    for name, kind in RECORD.items():
        if not isinstance(record.get(name), kind):
            raise ValueError(f"its field {name!r} is missing or has a wrong type")
    if not is_digest(record["id"]) or record["id"] != f"sha256:{path.stem}":
        raise ValueError("its id is not the name of the file")
    if record["parent"] and not is_digest(record["parent"]):
        raise ValueError("its parent is not the id of an image")
    config = _stored_config(path.with_suffix(".config"))
    layers = config["rootfs"]["diff_ids"]
    if not all(map(is_digest, layers)):
        raise ValueError("one of its layers is not a digest")
    if len(record["sizes"]) != len(layers) or not all(map(_is_size, record["sizes"])):
        raise ValueError("the sizes of its layers are wrong")
    _check_names(record)
    nanoseconds(record["tagged"])
    return record | {"built_here": built_here}, config


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SIZE


def set_aside(*paths: Path) -> None:
    """Rename the files of a bad record, because the image that they belong to is stored again."""
    for path in paths:
        if path.exists():
            path.rename(f"{path}.bad")


def _stored_config(path: Path) -> Record:
    data = json_files.read_bytes(path)
    if data is None:
        raise ValueError(f"{path.name} is missing")
    try:
        return read_config(data)
    except BadParameter as fault:
        raise ValueError(f"{path.name}: {fault}") from None


def _check_names(record: Record) -> None:
    for name in [*record["tags"], *record["digests"]]:
        try:
            reference = references.parse(name) if isinstance(name, str) else None
        except Fault:
            reference = None
        if reference is None or not (reference.tag or reference.digest):
            raise ValueError(f"{name!r} is not the name of an image")
