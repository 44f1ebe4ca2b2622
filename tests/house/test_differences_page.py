"""The page of differences is fresh, and each row names tests that are there."""

from __future__ import annotations

from differences import PAGE, SOURCE, differences, engine_of, page


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == page(), "python tests/support/differences.py"


def test_every_row_names_tests_that_are_there_and_says_what_is_seen() -> None:
    for row in differences():
        for test in row.tests:
            file, _, name = test.partition("::")
            assert f"def {name.partition('[')[0]}(" in (SOURCE.parent / file).read_text("utf-8"), test
        assert row.says
        assert row.what.endswith(".")


def test_engines_are_named_by_what_they_say() -> None:
    assert engine_of({"Version": "5.4.2", "Components": [{"Name": "Podman Engine"}]}) == "podman 5.4.2"
    assert engine_of({"Version": "28.5.2", "Components": [{"Name": "Engine"}]}) == "docker 28.5.2"
    assert engine_of({"Version": "1"}) == "docker 1"
