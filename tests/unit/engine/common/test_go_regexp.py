"""Go's regular expressions: what they match, what they refuse, and that no pattern takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.engine.common.go_regexp import MAX_INSTRUCTIONS, InvalidPattern, Pattern

CHARACTERS = st.sampled_from("aabbcABk.- _1\n")
TEXTS = st.text(CHARACTERS, max_size=12)
ATOMS = st.one_of(
    st.sampled_from(
        ["a", "b", "c", ".", "^", r"\b", r"\B", r"\d", r"\W", r"\s", "[a-b]", "[^a]", r"[\w-]", "[]a]", r"\.", r"\x61"]
    ),
    st.sampled_from(["(?i:aK)", "(?s:.)", "(?m:^a)", "(?P<n>b)", r"\A"]),
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("({}|)".format, inner),
        st.builds(
            "(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "{0}", "{,3}"])
        ),
    ),
    max_leaves=6,
).filter(lambda pattern: pattern.count("?P<") < 2)


def for_python(pattern: str) -> str:
    # Python's {,3} has a lower limit of 0, and Go's is plain text. Before 3.14, its \B doesn't match an empty text.
    return pattern.replace("{,3}", r"\{,3\}").replace(r"\B", r"(?!\b)")


@given(PATTERNS, TEXTS)
def test_the_same_texts_match_as_in_python(pattern: str, text: str) -> None:
    assert Pattern(pattern).search(text) is (re.search(for_python(pattern), text, re.ASCII) is not None)


@given(st.text("ab()[]|*+?{}0123,\\^$.-:<>Ppimsx!=Q", max_size=14), TEXTS)
def test_every_text_is_a_pattern_or_invalid(pattern: str, text: str) -> None:
    try:
        compiled = Pattern(pattern)
    except InvalidPattern as error:
        assert str(error).startswith("error parsing regexp: ")
    else:
        assert compiled.search(text) in (True, False)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a$", "a\n", False),
        ("(?m)a$", "a\n", True),
        (r"a\z", "a", True),
        (r"\s", "\v", False),
        (r"\pL\p{Lu}\PN", "aBc", True),
        (r"\p{Greek}", "λ", True),
        (r"\p{^Greek}", "λ", False),
        ("[[:alpha:]][[:^digit:]]", "a-", True),
        ("[[:alpha]", ":", True),
        (r"\Qa.b\E+$", "a.bb", True),
        (r"\Q(", "(", True),
        ("(?i)[^a]", "A", False),
        ("(?i)[[:^alpha:]]", "k", False),
        (r"(?i)[\P{Lu}]", "a", False),
        ("(?i)k", "\u212a", True),
        ("(?i)a(?-i)b", "AB", False),
        ("(?i:a)b", "AB", False),
        ("(?<name>a)", "a", True),
        (r"\x{1F600}\141", "😀a", True),
        ("a{,2}", "a{,2}", True),
        ("a{01}", "a{01}", True),
        ("a{2", "a{2", True),
        ("a{0}$", "b", True),
        ("]}", "]}", True),
        ("", "", True),
        ("a|", "b", True),
        ("(a{10}){100}$", "a" * 1000, True),
        ("(a{10}){100}", "a" * 999, False),
    ],
)
def test_what_is_special_in_go(pattern: str, text: str, matches: bool) -> None:
    assert Pattern(pattern).search(text) is matches


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("[a", "missing closing ]: `[a`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("[[:word2:]]", "invalid character class range: `[:word2:]`"),
        (r"\p{Nothing}", r"invalid character class range: `\p{Nothing}`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|+", "missing argument to repetition operator: `+`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{" + "9" * 5000 + "}", "invalid repeat count: `{" + "9" * 5000 + "}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?<=a)", "invalid named capture: `(?<=a)`"),
        ("(?P<1 >a)", "invalid named capture: `(?P<1 >`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        ("a\\", "trailing backslash at end of expression: ``"),
    ],
)
def test_an_invalid_pattern_has_the_message_of_go(pattern: str, message: str) -> None:
    with pytest.raises(InvalidPattern) as caught:
        Pattern(pattern)
    assert str(caught.value) == f"error parsing regexp: {message}"


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "^(a*)*$", "^(a|a)*$", "(.*)*b$", "(a?){30}a{30}b", "(x+x+)+y|(a|aa)+$", "(?:a+){20}$", "^(a|b|ab)*c"],
)
def test_a_pattern_that_takes_exponential_time_with_backtracking(pattern: str) -> None:
    assert Pattern(pattern).search("a" * 300 + "!") is False


@pytest.mark.parametrize(
    "pattern", ["(" * 5000 + ")" * 5000, "(a{30}){30}" * 9, "((a{9}){9}b){9}" * 9, "a|" * 5000, "[ab]{1000}" * 5]
)
def test_a_pattern_that_is_too_large_is_invalid(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match=r"too large|too deeply"):
        Pattern(pattern)


def test_groups_may_be_nested_deeply() -> None:
    assert Pattern("(" * 999 + "a" + ")*" * 999).search("a")


def test_the_largest_program_is_followed_through_a_long_text() -> None:
    pattern = "(.?){1000}" + "." * (MAX_INSTRUCTIONS - 2000 - 1) + "!"
    assert not Pattern(pattern).search("a" * 50)
