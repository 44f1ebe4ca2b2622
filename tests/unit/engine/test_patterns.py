"""The wildcards of COPY and .dockerignore, one segment of a path at a time."""

from __future__ import annotations

import re

import pytest

from dockerlab.engine.build.patterns import has_wildcards, segment_regex


@pytest.mark.parametrize(
    ("segment", "name", "matches"),
    [
        ("plain.txt", "plain.txt", True),
        ("plain.txt", "plain_txt", False),
        ("*.txt", "a.txt", True),
        ("**.txt", "a.txt", True),
        ("*", "a/b", False),
        ("?", "a", True),
        ("?", "/", False),
        ("[a-c]", "b", True),
        ("[^a-c]", "b", False),
        ("[]a]", "]", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        ("[open", "[open", True),
        ("end\\", "end\\", True),
    ],
)
def test_a_segment_matches(segment: str, name: str, matches: bool) -> None:
    assert bool(re.fullmatch(segment_regex(segment), name)) is matches


def test_many_stars_match_quickly() -> None:
    assert re.fullmatch(segment_regex("*" * 40 + "b"), "a" * 200) is None


def test_only_wildcards_make_a_pattern() -> None:
    assert [has_wildcards(path) for path in ("a/b.c", "a/*", "a?", "[a]", "a\\*")] == [False, True, True, True, True]
