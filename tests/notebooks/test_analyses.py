"""The form of an analysis: it reads what was recorded, and shows a picture only together with its words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from test_form import code, read, texts, whole

from dockerlab.course.catalog import ANALYSES

DATA = Path(__file__).parents[2] / "notebooks" / "data"
MOST_BYTES = 300_000


@pytest.mark.parametrize("number", ANALYSES)
class TestEveryAnalysis:
    def test_card(self, number: str) -> None:
        first = texts(read(number))[0]
        assert first.startswith(f"# {ANALYSES[number].title}\n")
        one = ANALYSES[number]
        assert re.search(rf"\*\*{one.minutes} minutes · analysis .*· after lesson {one.after}\*\*", first)
        assert "You will:" in first

    def test_the_first_page_leads_to_it(self, number: str) -> None:
        one = ANALYSES[number]
        row = f"| [{number} · {one.title}]({one.notebook}) | {one.after} | "
        assert row in "\n".join(texts(read("00")))

    def test_it_talks_to_no_engine(self, number: str) -> None:
        assert re.findall(r"connect\(|lesson\(|\.call\(", whole(read(number))) == []

    def test_it_is_short(self, number: str) -> None:
        assert 10 <= len(code(read(number))) <= 18

    def test_the_file_bears_its_number(self, number: str) -> None:
        assert ANALYSES[number].notebook.startswith(f"{number}-")
        assert ANALYSES[number].number == number

    def test_its_data_are_there(self, number: str) -> None:
        named = set(re.findall(r'"(\w+\.json)"|data/shop/(\w+\.json)', whole(read(number))))
        files = {one or other for one, other in named}
        assert files or "replay(" in whole(read(number))
        assert all((DATA / "shop" / name).is_file() for name in files)

    def test_pictures_say_what_they_show(self, number: str) -> None:
        for cell in code(read(number)):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    assert re.match(r"<Picture: \d*\w[\w ]+", output.data["text/plain"]), cell.source
                    assert len(output.data["text/plain"]) > 40


def test_there_are_pictures_to_look_at() -> None:
    shown = [number for number in ANALYSES if "image/png" in json.dumps(read(number))]
    assert shown == ["A2", "A3", "A4"]


def test_the_data_are_small_and_tell_no_place_of_one_machine() -> None:
    files = [path for path in DATA.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert [path.name for path in files if "/tmp/" in plain(path)] == []


def plain(path: Path) -> str:
    """Give what a file says; Parquet is packed."""
    return pd.read_parquet(path).to_csv() if path.suffix == ".parquet" else path.read_text("utf-8")
