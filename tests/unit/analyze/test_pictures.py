"""Pictures have a description, and text from an engine is drawn literally, not as a formula."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pandas as pd
import pytest
from recordings import histories, recorded_documents

from dockerlab.analyze import disk, timeline, usage
from dockerlab.analyze.pictures import Picture, label
from dockerlab.errors import ArgumentError
from dockerlab.tables.events import event_table
from dockerlab.tables.inspection import image_inspections
from dockerlab.tables.stats import stats_table

HOSTILE = r"$\frac{x}{0}$ \$ $^{$ <script>"


def texts_in(picture: Picture) -> list[str]:
    """Draw a picture, with warnings as errors, and return all texts in it as a reader sees them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = picture._repr_png_()
    assert data.startswith(b"\x89PNG")
    [axes] = picture.axes
    legend = axes.get_legend()
    texts = [*axes.get_yticklabels(), *axes.texts, *(legend.get_texts() if legend else [])]
    for text in texts:
        assert text._preprocess_math(text.get_text())[1] is False, "drawn as a formula"
    return [text._preprocess_math(text.get_text())[0] for text in texts]


def with_hostile_names(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(name=pd.array([HOSTILE] * len(table), dtype=pd.StringDtype("python")))


def test_lives_are_drawn_as_bars() -> None:
    lives = timeline.lives(event_table(recorded_documents("docker-28.5", "events")))
    picture = timeline.gantt(lives[lives["name"].str.startswith("shop")])
    assert {"shop-web-1", "shop-web-2", "shop-flaky"} <= set(texts_in(picture))
    assert repr(picture) == "<Picture: 6 runs of 3 containers as bars over time, 5 of them ended with an error>"
    assert HOSTILE.replace("\\$", "$")[:10] in texts_in(timeline.gantt(with_hostile_names(lives)))[0]


def test_usage_is_drawn_as_lines() -> None:
    rates = usage.rates(stats_table(recorded_documents("practice", "stats")))
    picture = usage.chart(rates, "memory_used_bytes")
    assert set(texts_in(picture)) >= {"shop-web-1", "shop-web-2"}
    assert picture.alt == "memory used bytes of 2 containers as lines over time"
    assert texts_in(usage.chart(with_hostile_names(rates)))
    with pytest.raises(ArgumentError, match="Choose one of seconds, cpu_percent"):
        usage.chart(rates, "name")


def test_layers_are_drawn_as_boxes() -> None:
    images = image_inspections(recorded_documents("docker-28.5", "images"))
    layers = disk.by_layer(images, histories("docker-28.5"))
    picture = disk.treemap(layers)
    assert any("shop/tools:1" in text for text in texts_in(picture))
    assert picture.alt == "6 layers as boxes, 7.0 MB in all, 3.6 MB of it shared"
    layers["instruction"] = pd.array([HOSTILE] * len(layers), dtype=pd.StringDtype("python"))
    assert texts_in(disk.treemap(layers))


def test_empty_tables_can_be_drawn() -> None:
    assert texts_in(timeline.gantt(timeline.lives(event_table([])))) == []
    empty = usage.chart(usage.rates(stats_table([])))
    assert texts_in(empty)
    assert empty.alt == "cpu percent of 0 containers as lines over time"
    nothing = disk.treemap(disk.by_layer(image_inspections([]), {}))
    assert texts_in(nothing)
    assert nothing.alt.startswith("0 layers as boxes")


def test_labels_are_plain_and_short() -> None:
    assert label("price: $5\n\x1b[31m") == r"price: \$5 �[31m"
    assert len(label("x" * 500)) == 40
    assert label("x" * 500, 10) == "x" * 9 + "…"


def test_matplotlib_is_loaded_only_for_drawing() -> None:
    code = "import sys; from dockerlab.analyze import disk, timeline, usage; print('matplotlib' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert process.stdout == "False\n"
