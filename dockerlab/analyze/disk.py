"""Where images' bytes are: what they share, what is an image's alone, and the picture of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dockerlab.analyze.history import steps
from dockerlab.tables.build import BOOLEAN, INTEGER, OBJECT, TEXT, typed_table
from dockerlab.tables.unfold import layers

if TYPE_CHECKING:
    from dockerlab.analyze.pictures import Picture

__all__ = ["by_image", "by_layer", "squarified", "treemap"]

#: Steps that change only settings; the others make a layer, WORKDIR only where the directory is new.
SETTINGS = {
    "ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL",
    "STOPSIGNAL", "USER", "VOLUME",
}  # fmt: skip
FULL = 100.0
#: So many small letters find room in a box, for each hundredth of the picture's width.
LETTERS = 0.9
Box = tuple[float, float, float, float]


def by_layer(images: pd.DataFrame, histories: Mapping[str, Any]) -> pd.DataFrame:
    """Make one row a layer that is kept once, however many images have it: the largest first.

    `images` is `image_inspections`, `histories` gives each image's ImageHistory (table or documents) by its id or one
    of its names. Columns: `chain_id`, `size_bytes` (<NA> where history and layers can't be told apart), `instruction`,
    `images` (list of names), `shared` (is it in more than one?).
    """
    found: dict[str, dict[str, Any]] = {}
    for one in _layers(images, histories):
        known = found.setdefault(one["chain_id"], {**one, "images": []})
        known["images"].append(one["name"])
        if known["size_bytes"] is None:
            known |= {"size_bytes": one["size_bytes"], "instruction": one["instruction"]}
    rows = sorted(found.values(), key=lambda row: -(row["size_bytes"] or 0))
    columns: dict[str, tuple[Any, str]] = {
        "chain_id": ([row["chain_id"] for row in rows], TEXT),
        "size_bytes": ([row["size_bytes"] for row in rows], INTEGER),
        "instruction": ([row["instruction"] for row in rows], TEXT),
        "images": ([row["images"] for row in rows], OBJECT),
        "shared": ([len(row["images"]) > 1 for row in rows], BOOLEAN),
    }
    return typed_table(columns, len(rows))


def by_image(images: pd.DataFrame, histories: Mapping[str, Any]) -> pd.DataFrame:
    """Make one row an image, the one whose removal frees most first; arguments as of `by_layer`.

    Columns: `id`, `name`, `layers`, `size_bytes` (as the engine says), `shared_bytes` (in layers that another image
    of the table has too), `unique_bytes` (what its removal would free; <NA> if a layer's size isn't known).
    """
    kept = {row["chain_id"]: row for row in by_layer(images, histories).to_dict("records")}
    rows = []
    for image in images.to_dict("records"):
        own = [kept[chain] for chain in layers(images[images["id"] == image["id"]])["chain_id"].unique()]
        sizes = [(row["size_bytes"], bool(row["shared"])) for row in own]
        known = all(not pd.isna(size) for size, _ in sizes)
        shared, unique = (sum(size for size, is_shared in sizes if is_shared == which) for which in (True, False)) \
            if known else (None, None)  # fmt: skip
        rows.append((image["id"], _title(image), len(own), image["size_bytes"], shared, unique))
    rows.sort(key=lambda row: -(row[-1] or 0))
    names = ["id", "name", "layers", "size_bytes", "shared_bytes", "unique_bytes"]
    columns = {
        n: ([row[place] for row in rows], TEXT if n in ("id", "name") else INTEGER) for place, n in enumerate(names)
    }
    return typed_table(columns, len(rows))


def _title(image: Mapping[Any, Any]) -> str:
    """Give an image's first name, or the beginning of its id."""
    if not pd.isna(image["repo_tags"]):
        return str(image["repo_tags"]).split(", ", maxsplit=1)[0]
    return str(image["id"]).removeprefix("sha256:")[:12]


def _layers(images: pd.DataFrame, histories: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give every layer of every image with its size and the step that made it, as far as its history tells."""
    rows = []
    for image in images.drop_duplicates("id").to_dict("records"):
        chain = layers(images[images["id"] == image["id"]].head(1))["chain_id"].tolist()
        told = [] if pd.isna(image["repo_tags"]) else str(image["repo_tags"]).split(", ")
        history = next((histories[name] for name in (str(image["id"]), *told) if name in histories), None)
        made = _matched(history, len(chain))
        for place, chain_id in enumerate(chain):
            size, text = made[place] if made else (None, None)
            rows.append({"chain_id": chain_id, "name": _title(image), "size_bytes": size, "instruction": text})
    return rows


def _matched(history: Any, count: int) -> list[tuple[int, str]]:
    """Pick the steps that made a layer: an engine does not say which, and an empty one may be a layer too."""
    if history is None:
        return []
    known = [(int(row["size_bytes"]), str(row["instruction"])) for row in steps(history).to_dict("records")]
    words = [text.split(" ", 1)[0] for _, text in known]
    guesses = (
        [step for step, word in zip(known, words, strict=True) if word not in SETTINGS],
        [step for step, word in zip(known, words, strict=True) if word not in SETTINGS | {"WORKDIR"} or step[0]],
        [step for step in known if step[0]],
    )
    return next((guess for guess in guesses if len(guess) == count), [])


def squarified(sizes: Sequence[float], box: Box = (0.0, 0.0, FULL, FULL)) -> list[Box]:
    """Lay out a treemap: one box (x, y, width, height) a size, of its share of the area, as square as it goes.

    Sizes are positive, the largest first (Bruls, Huizing, van Wijk: Squarified treemaps).
    """
    x, y, width, height = box
    left = sum(sizes)
    boxes: list[Box] = []
    start = 0
    while start < len(sizes) and width > 0 and height > 0:
        side, scale, end = min(width, height), width * height / left, start + 1
        while end < len(sizes) and _worst(sizes[start : end + 1], side, scale) <= _worst(sizes[start:end], side, scale):
            end += 1
        row = sizes[start:end]
        thick, along = sum(row) * scale / side, 0.0
        for size in row:
            length = size * scale / thick
            boxes.append((x, y + along, thick, length) if width >= height else (x + along, y, length, thick))
            along += length
        if width >= height:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick
        left, start = left - sum(row), end
    return boxes


def _worst(row: Sequence[float], side: float, scale: float) -> float:
    """Give the worst proportion of sides among the boxes of one row."""
    thick = sum(row) * scale / side
    return max(max(thick / (size * scale / thick), size * scale / thick / thick) for size in row)


def treemap(layered: pd.DataFrame) -> Picture:
    """Draw the layers of `by_layer` as boxes of their size: blue is shared by images, orange is one image's alone."""
    from dockerlab.analyze.pictures import COLORS, Picture, label

    known = layered[(layered["size_bytes"] > 0).fillna(False)].sort_values("size_bytes", ascending=False, kind="stable")
    sizes = [float(size) for size in known["size_bytes"]]
    picture = Picture(figsize=(9, 5))
    axes = picture.subplots()
    for row, (x, y, width, height) in zip(known.to_dict("records"), squarified(sizes), strict=False):
        color = COLORS[0] if row["shared"] else COLORS[1]
        axes.add_patch(_rectangle(x, y, width, height, color))
        if width > FULL / 8 and height > FULL / 8:
            told = [f"{row['size_bytes'] / 1e6:.1f} MB", ", ".join(row["images"]), row["instruction"]]
            text = "\n".join(label(one, round(width * LETTERS)) for one in told)
            axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", color="white", fontsize="small")
    axes.set_xlim(0, FULL)
    axes.set_ylim(FULL, 0)
    axes.set_axis_off()
    shared = sum(size for size, is_shared in zip(sizes, known["shared"], strict=True) if is_shared)
    picture.alt = f"{len(sizes)} layers as boxes, {sum(sizes) / 1e6:.1f} MB in all, {shared / 1e6:.1f} MB of it shared"
    return picture


def _rectangle(x: float, y: float, width: float, height: float, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor=color, edgecolor="white", linewidth=1.5)
