"""The wildcards of COPY and .dockerignore, one segment of a path at a time."""

from __future__ import annotations

import re

import pytest

from dockerlab.engine.build.patterns import has_wildcards, path_regex, segment_regex


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
        ("a*b*a", "aabba", True),
        ("a*b*a", "aabb", False),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "ab", False),
        ("[z-a]", "m", False),
        ("[]", "]", False),
        ("[^]", "a", True),
        ("a[]b", "ab", False),
        (r"[\]]", "]", True),
        (r"[\d]", "5", False),
        ("[a-", "[a-", True),
    ],
)
def test_a_segment_matches(segment: str, name: str, matches: bool) -> None:
    assert bool(re.fullmatch(segment_regex(segment), name)) is matches


def test_many_stars_match_quickly() -> None:
    assert re.fullmatch(segment_regex("*" * 40 + "b"), "a" * 200) is None


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 12 + "*b", "a" * 250),
        ("?*" * 100 + "b", "a" * 250),
        ("**/a/" * 40 + "b", "/".join("a" * 120)),
        ("**/*a*/" * 20 + "b", "/".join(["aaaa"] * 100)),
    ],
)
def test_a_pattern_that_a_simple_translation_needs_hours_for(pattern: str, path: str) -> None:
    assert re.fullmatch(path_regex(pattern.split("/")), path) is None


def test_a_pattern_of_many_brackets() -> None:
    assert re.fullmatch(segment_regex("[" * 10**5), "x") is None


def test_only_wildcards_make_a_pattern() -> None:
    assert [has_wildcards(path) for path in ("a/b.c", "a/*", "a?", "[a]", "a\\*")] == [False, True, True, True, True]
