"""The pages of docs/ that a command writes are up to date, and their data is complete."""

from __future__ import annotations

import pytest
from differences import SOURCE, differences, engine_name
from generated_pages import PAGES, REASONS, REFUSED_OPERATIONS, TITLES, unverified, verified
from repository import ROOT

from dockerlab.engine.api import HANDLERS


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_what_the_command_writes(name: str) -> None:
    text = (ROOT / "docs" / name).read_text("utf-8")
    assert text == PAGES[name](), "run: python tests/support/generated_pages.py"


def test_exactly_the_unverified_operations_have_a_reason() -> None:
    assert sorted(unverified()) == sorted(REASONS)


def test_all_handlers_of_the_practice_engine_are_verified_on_it() -> None:
    assert set(HANDLERS) - verified()["practice"] == REFUSED_OPERATIONS
    assert set(TITLES) == set(verified())


def test_each_difference_names_existing_tests_and_says_what_they_see() -> None:
    for row in differences():
        for test in row.tests:
            file, _, name = test.partition("::")
            assert f"def {name.partition('[')[0]}(" in (SOURCE.parent / file).read_text("utf-8"), test
        assert row.says
        assert row.what.endswith(".")


def test_an_engine_is_named_by_its_version_response() -> None:
    assert engine_name({"Version": "5.4.2", "Components": [{"Name": "Podman Engine"}]}) == "podman 5.4.2"
    assert engine_name({"Version": "28.5.2", "Components": [{"Name": "Engine"}]}) == "docker 28.5.2"
    assert engine_name({"Version": "1"}) == "docker 1"
