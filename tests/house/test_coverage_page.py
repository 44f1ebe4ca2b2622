"""The page of coverage is fresh, and what no engine has answered has its reason."""

from __future__ import annotations

from coverage_table import PAGE, REASONS, REFUSED, TITLES, page, unverified, verified

from dockerlab.engine.api import HANDLERS


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == page(), "python tests/support/coverage_table.py"


def test_what_no_engine_has_answered_has_a_reason_and_nothing_else_has() -> None:
    assert sorted(unverified()) == sorted(REASONS)


def test_what_the_practice_engine_serves_was_verified_on_it() -> None:
    assert set(HANDLERS) - verified()["practice"] == REFUSED
    assert set(TITLES) == set(verified())
