"""The disk space of images: which layers they share, what belongs to one image only, and a picture of both."""

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

#: Instructions that change only settings. The others make a layer, WORKDIR only if it creates the directory.
SETTINGS = {
    "ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL",
    "STOPSIGNAL", "USER", "VOLUME",
}  # fmt: skip
SIDE = 100.0
#: How many characters of a label fit per hundredth of the picture's width.
CHARACTERS = 0.9
Box = tuple[float, float, float, float]


def by_layer(images: pd.DataFrame, histories: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per stored layer, the largest first. A layer is stored once, however many images use it.

    `images` is a table of `image_inspections`; `histories` has each image's ImageHistory (table or documents) by its
    id or one of its names. Columns: `chain_id`, `size_bytes` (<NA> if the history can't be matched to the layers),
    `instruction`, `images` (list of names), `shared` (whether several images use it).
    """
    layers_by_id: dict[str, dict[str, Any]] = {}
    for use in _layers(images, histories):
        layer = layers_by_id.setdefault(use["chain_id"], {**use, "images": []})
        layer["images"].append(use["name"])
        if layer["size_bytes"] is None:
            layer |= {"size_bytes": use["size_bytes"], "instruction": use["instruction"]}
    rows = sorted(layers_by_id.values(), key=lambda row: -(row["size_bytes"] or 0))
    columns: dict[str, tuple[Any, str]] = {
        "chain_id": ([row["chain_id"] for row in rows], TEXT),
        "size_bytes": ([row["size_bytes"] for row in rows], INTEGER),
        "instruction": ([row["instruction"] for row in rows], TEXT),
        "images": ([row["images"] for row in rows], OBJECT),
        "shared": ([len(row["images"]) > 1 for row in rows], BOOLEAN),
    }
    return typed_table(columns, len(rows))


def by_image(images: pd.DataFrame, histories: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per image, starting with the one whose removal frees most. The arguments are those of `by_layer`.

    Columns: `id`, `name`, `layers`, `size_bytes` (as the engine reports it), `shared_bytes` (in layers that another
    image of the table has too), `unique_bytes` (what its removal would free; <NA> if a layer's size is not known).
    """
    layers_by_id = {row["chain_id"]: row for row in by_layer(images, histories).to_dict("records")}
    rows = []
    for image in images.to_dict("records"):
        chain_ids = layers(images[images["id"] == image["id"]])["chain_id"].unique()
        sizes = [(layers_by_id[chain]["size_bytes"], bool(layers_by_id[chain]["shared"])) for chain in chain_ids]
        all_known = all(not pd.isna(size) for size, _ in sizes)
        shared, unique = (sum(size for size, is_shared in sizes if is_shared == which) for which in (True, False)) \
            if all_known else (None, None)  # fmt: skip
        rows.append((image["id"], _title(image), len(chain_ids), image["size_bytes"], shared, unique))
    rows.sort(key=lambda row: -(row[-1] or 0))
    names = ["id", "name", "layers", "size_bytes", "shared_bytes", "unique_bytes"]
    columns = {
        n: ([row[place] for row in rows], TEXT if n in ("id", "name") else INTEGER) for place, n in enumerate(names)
    }
    return typed_table(columns, len(rows))


def _title(image: Mapping[Any, Any]) -> str:
    """Return an image's first name, or the beginning of its id."""
    if not pd.isna(image["repo_tags"]):
        return str(image["repo_tags"]).split(", ", maxsplit=1)[0]
    return str(image["id"]).removeprefix("sha256:")[:12]


def _layers(images: pd.DataFrame, histories: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every layer of every image, with its size and the step that made it if its history is known."""
    rows = []
    for image in images.drop_duplicates("id").to_dict("records"):
        chain = layers(images[images["id"] == image["id"]].head(1))["chain_id"].tolist()
        tags = [] if pd.isna(image["repo_tags"]) else str(image["repo_tags"]).split(", ")
        history = next((histories[name] for name in (str(image["id"]), *tags) if name in histories), None)
        layer_steps = _layer_steps(history, len(chain))
        for index, chain_id in enumerate(chain):
            size, text = layer_steps[index] if layer_steps else (None, None)
            rows.append({"chain_id": chain_id, "name": _title(image), "size_bytes": size, "instruction": text})
    return rows


def _layer_steps(history: Any, count: int) -> list[tuple[int, str]]:
    """Return the steps that made a layer, as (size, instruction), or an empty list if they can't be determined.

    Engines don't report which steps made a layer, and a step without content may have made one. So several guesses are
    compared with the number of layers.
    """
    if history is None:
        return []
    all_steps = [(int(row["size_bytes"]), str(row["instruction"])) for row in steps(history).to_dict("records")]
    words = [text.split(" ", 1)[0] for _, text in all_steps]
    guesses = (
        [step for step, word in zip(all_steps, words, strict=True) if word not in SETTINGS],
        [step for step, word in zip(all_steps, words, strict=True) if word not in SETTINGS | {"WORKDIR"} or step[0]],
        [step for step in all_steps if step[0]],
    )
    return next((guess for guess in guesses if len(guess) == count), [])


def squarified(sizes: Sequence[float], box: Box = (0.0, 0.0, SIDE, SIDE)) -> list[Box]:
    """Return the boxes of a treemap as (x, y, width, height), one per size, each as square as possible.

    The area of a box is in proportion to its size. Sizes must be positive, the largest first. (Bruls, Huizing, van
    Wijk: Squarified treemaps.)
    """
    x, y, width, height = box
    remaining = sum(sizes)
    boxes: list[Box] = []
    start = 0
    while start < len(sizes) and width > 0 and height > 0:
        side, scale, end = min(width, height), width * height / remaining, start + 1
        while end < len(sizes) and _worst(sizes[start : end + 1], side, scale) <= _worst(sizes[start:end], side, scale):
            end += 1
        row = sizes[start:end]
        thickness, offset = sum(row) * scale / side, 0.0
        for size in row:
            length = size * scale / thickness
            boxes.append((x, y + offset, thickness, length) if width >= height else (x + offset, y, length, thickness))
            offset += length
        if width >= height:
            x, width = x + thickness, width - thickness
        else:
            y, height = y + thickness, height - thickness
        remaining, start = remaining - sum(row), end
    return boxes


def _worst(row: Sequence[float], side: float, scale: float) -> float:
    """Return the largest aspect ratio among the boxes of one row."""
    thickness = sum(row) * scale / side
    lengths = [size * scale / thickness for size in row]
    return max(max(thickness / length, length / thickness) for length in lengths)


def treemap(layered: pd.DataFrame) -> Picture:
    """Draw the layers of `by_layer` as boxes of their size: blue ones are shared, orange ones belong to one image."""
    from dockerlab.analyze.pictures import COLORS, Picture, label

    drawn = layered[(layered["size_bytes"] > 0).fillna(False)].sort_values("size_bytes", ascending=False, kind="stable")
    sizes = [float(size) for size in drawn["size_bytes"]]
    picture = Picture(figsize=(9, 5))
    axes = picture.subplots()
    for row, (x, y, width, height) in zip(drawn.to_dict("records"), squarified(sizes), strict=False):
        color = COLORS[0] if row["shared"] else COLORS[1]
        axes.add_patch(_rectangle(x, y, width, height, color))
        if width > SIDE / 8 and height > SIDE / 8:
            lines = [f"{row['size_bytes'] / 1e6:.1f} MB", ", ".join(row["images"]), row["instruction"]]
            text = "\n".join(label(line, round(width * CHARACTERS)) for line in lines)
            axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", color="white", fontsize="small")
    axes.set_xlim(0, SIDE)
    axes.set_ylim(SIDE, 0)
    axes.set_axis_off()
    shared = sum(size for size, is_shared in zip(sizes, drawn["shared"], strict=True) if is_shared)
    picture.alt = f"{len(sizes)} layers as boxes, {sum(sizes) / 1e6:.1f} MB in all, {shared / 1e6:.1f} MB of it shared"
    return picture


def _rectangle(x: float, y: float, width: float, height: float, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor=color, edgecolor="white", linewidth=1.5)
