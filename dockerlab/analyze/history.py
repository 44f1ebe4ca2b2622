"""The steps that made an image, and what each costs in bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import FLOAT, INTEGER, TEXT, TIME, Column, array_table

__all__ = ["STEPS", "instruction", "steps"]

STEPS = (
    Column("step", "step", INTEGER, "its place, the first is 1"),
    Column("instruction", "instruction", TEXT, "as in a Dockerfile: RUN …, COPY …"),
    Column("size_bytes", "size_bytes", INTEGER, "what it added; a removal adds nothing and frees nothing", "bytes"),
    Column("share_percent", "share_percent", FLOAT, "of the whole image", "%"),
    Column("cumulative_bytes", "cumulative_bytes", INTEGER, "the image up to here", "bytes"),
    Column("created", "created", TIME, "when it was made", "UTC"),
    Column("comment", "comment", TEXT, "what the builder noted"),
    Column("id", "id", TEXT, "the image that ends here; <NA> if it is not kept"),
)

SHELL, NOP = re.compile(r"^(?:\|\d+ .*?)?/bin/sh -c "), re.compile(r"^/bin/sh -c #\(nop\)\s*")
BUILDKIT = re.compile(r"\s*# buildkit\s*$")
WORDS = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip


def instruction(created_by: str) -> str:
    r"""Write a step as a Dockerfile would have it, without what builders put around it.

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
    """Make one row a step, the first one first, from ImageHistory: its table or its documents, the newest first."""
    records = _records(history)[::-1]
    sizes = [max(size, 0) if isinstance(size := one.get("Size"), int) else 0 for one in records]
    whole, sum_so_far, rows = sum(sizes), 0, []
    for number, (one, size) in enumerate(zip(records, sizes, strict=True), 1):
        sum_so_far += size
        rows.append({
            "step": number,
            "instruction": instruction(str(one.get("CreatedBy") or "")) or None,
            "size_bytes": size,
            "share_percent": size / whole * 100 if whole else None,
            "cumulative_bytes": sum_so_far,
            "created": one.get("Created"),
            "comment": one.get("Comment") or None,
            "id": None if "<missing>" in str(one.get("Id")) else one.get("Id"),
        })  # fmt: skip
    return array_table(STEPS, rows)


def _records(history: pd.DataFrame | Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give documents, also those of a table, whose columns have the same names in small letters."""
    if not isinstance(history, pd.DataFrame):
        return list(history)
    keys = {"id": "Id", "created": "Created", "created_by": "CreatedBy", "size_bytes": "Size", "comment": "Comment"}
    kept = history[[name for name in keys if name in history.columns]].rename(columns=keys)
    return [
        {str(key): None if pd.isna(value) else int(value) if key == "Size" else value for key, value in row.items()}
        for row in kept.to_dict("records")
    ]
