"""The form of analyses: they read recorded data, and every picture has a description."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from test_form import code, read, source_of, texts

from dockerlab.course.catalog import ANALYSES

DATA = Path(__file__).parents[2] / "notebooks" / "data"
MAX_BYTES = 300_000


@pytest.mark.parametrize("number", ANALYSES)
class TestEveryAnalysis:
    def test_card(self, number: str) -> None:
        first = texts(read(number))[0]
        assert first.startswith(f"# {ANALYSES[number].title}\n")
        entry = ANALYSES[number]
        assert re.search(rf"\*\*{entry.minutes} minutes · analysis .*· after lesson {entry.after}\*\*", first)
        assert "You will:" in first

    def test_the_first_page_links_to_it(self, number: str) -> None:
        entry = ANALYSES[number]
        row = f"| [{number} · {entry.title}]({entry.notebook}) | {entry.after} | "
        assert row in "\n".join(texts(read("00")))

    def test_it_needs_no_engine(self, number: str) -> None:
        assert re.findall(r"connect\(|lesson\(|\.call\(", source_of(read(number))) == []

    def test_it_is_short(self, number: str) -> None:
        assert 10 <= len(code(read(number))) <= 18

    def test_the_file_name_has_its_number(self, number: str) -> None:
        assert ANALYSES[number].notebook.startswith(f"{number}-")
        assert ANALYSES[number].number == number

    def test_its_data_exists(self, number: str) -> None:
        named = set(re.findall(r'"(\w+\.json)"|data/shop/(\w+\.json)', source_of(read(number))))
        files = {name or path for name, path in named}
        assert files or "replay(" in source_of(read(number))
        assert all((DATA / "shop" / name).is_file() for name in files)

    def test_pictures_have_a_description(self, number: str) -> None:
        for cell in code(read(number)):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    assert re.match(r"<Picture: \d*\w[\w ]+", output.data["text/plain"]), cell.source
                    assert len(output.data["text/plain"]) > 40


def test_some_analyses_have_pictures() -> None:
    numbers = [number for number in ANALYSES if "image/png" in json.dumps(read(number))]
    assert numbers == ["A2", "A3", "A4"]


def test_the_data_is_small_and_has_no_path_of_one_machine() -> None:
    files = [path for path in DATA.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
    assert [path.name for path in files if "/tmp/" in plain(path)] == []


def plain(path: Path) -> str:
    """Return the content of a file as text."""
    return pd.read_parquet(path).to_csv() if path.suffix == ".parquet" else path.read_text("utf-8")
