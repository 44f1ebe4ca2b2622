"""The build steps of an image, and the size of each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import FLOAT, INTEGER, TEXT, TIME, Column, array_table

__all__ = ["STEPS", "instruction", "steps"]

STEPS = (
    Column("step", "step", INTEGER, "its number; the first step is 1"),
    Column("instruction", "instruction", TEXT, "the instruction, as in a Dockerfile: RUN …, COPY …"),
    Column("size_bytes", "size_bytes", INTEGER, "what the step added; removing files adds and frees nothing", "bytes"),
    Column("share_percent", "share_percent", FLOAT, "the percentage of the whole image", "%"),
    Column("cumulative_bytes", "cumulative_bytes", INTEGER, "the size of the image up to this step", "bytes"),
    Column("created", "created", TIME, "when the step was executed", "UTC"),
    Column("comment", "comment", TEXT, "the builder's comment"),
    Column("id", "id", TEXT, "the image that ends with this step; <NA> if the engine has none"),
)

SHELL, NOP = re.compile(r"^(?:\|\d+ .*?)?/bin/sh -c "), re.compile(r"^/bin/sh -c #\(nop\)\s*")
BUILDKIT = re.compile(r"\s*# buildkit\s*$")
WORDS = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip


def instruction(created_by: str) -> str:
    r"""Return a step as an instruction of a Dockerfile, without the text that builders add to it.

    >>> instruction("/bin/sh -c #(nop)  EXPOSE 8080 9090")
    'EXPOSE 8080 9090'
    >>> instruction("/bin/sh -c dd if=/dev/urandom of=/opt.bin bs=64k count=24")
    'RUN dd if=/dev/urandom of=/opt.bin bs=64k count=24'
    """
    text = BUILDKIT.sub("", created_by)
    if NOP.match(text):
        return NOP.sub("", text).strip()
    if SHELL.match(text):
        return f"RUN {SHELL.sub('', text).strip()}"
    text = re.sub(r"^RUN (?:\|\d+ .*? )?/bin/sh -c ", "RUN ", text.strip())
    return text if text.split(" ", 1)[0] in WORDS or not text else f"RUN {text}"


def steps(history: pd.DataFrame | Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per step, in build order, from ImageHistory: its table or its documents, the newest first."""
    records = _records(history)[::-1]
    sizes = [max(size, 0) if isinstance(size := record.get("Size"), int) else 0 for record in records]
    total, cumulative, rows = sum(sizes), 0, []
    for number, (record, size) in enumerate(zip(records, sizes, strict=True), 1):
        cumulative += size
        rows.append({
            "step": number,
            "instruction": instruction(str(record.get("CreatedBy") or "")) or None,
            "size_bytes": size,
            "share_percent": size / total * 100 if total else None,
            "cumulative_bytes": cumulative,
            "created": record.get("Created"),
            "comment": record.get("Comment") or None,
            "id": None if "<missing>" in str(record.get("Id")) else record.get("Id"),
        })  # fmt: skip
    return array_table(STEPS, rows)


def _records(history: pd.DataFrame | Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the documents of a history, which may be a table with the same fields as columns."""
    if not isinstance(history, pd.DataFrame):
        return list(history)
    keys = {"id": "Id", "created": "Created", "created_by": "CreatedBy", "size_bytes": "Size", "comment": "Comment"}
    columns = history[[name for name in keys if name in history.columns]].rename(columns=keys)
    return [
        {str(key): None if pd.isna(value) else int(value) if key == "Size" else value for key, value in row.items()}
        for row in columns.to_dict("records")
    ]
