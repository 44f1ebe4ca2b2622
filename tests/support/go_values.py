"""Hypothesis strategies for documents: values of the types that Docker's API has, and values that are not."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from dockerlab.engine.common import go_structs
from dockerlab.engine.common.go_types import ARRAY, EMPTY_STRUCT, INTEGERS, MAP

__all__ = ["ANYTHING", "TEXTS", "document"]

#: Texts that mean something somewhere, and texts that break something somewhere.
TEXTS = st.one_of(
    st.sampled_from(
        (
            *("", " ", "a", "-1", "0", "80/tcp", "80", "1-2", "a/b", "/", "/x", ".", "..", "../..", "../../etc/passwd"),
            *("a\0b", "a\nb", "\x7f", "\xe9", "\ud800", "\U0001f40b", "x" * 300, "A B", "{{.ID}}", "%s", "[", "(?P<"),
            *("host", "none", "bridge", "default", "container:x", "container:", "private", "local", "json-file"),
            *("127.0.0.1", "::1", "300.1.1.1", "10.9.0.0/24", "10.9.0.0/33", "fd00::/64", "02:42:00:00:00:01"),
            *("always", "on-failure", "no", "true", "1", "1e999", "NaN", "null", "10m", "99999999999999999999"),
            *("busybox", "busybox:latest", "sha256:" + "0" * 64, "0" * 64, "2024-01-01T00:00:00Z", "CMD", "NONE"),
            *("root", "0:0", "nobody:x", "KILL", "SIGRTMAX-99", "A=b", "=b", "size=1m", "type=x", "rprivate", "tmpfs"),
        )
    ),
    st.text(max_size=8),
)
NUMBERS = st.one_of(
    st.sampled_from((0, 1, -1, 80, 65536, 2**31, 2**63 - 1, -(2**63), 2**63, 2**64, 10**40)), st.integers()
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
PLAIN = {
    **dict.fromkeys(("string", "time.Time"), TEXTS),
    **dict.fromkeys(INTEGERS, NUMBERS),
    "bool": st.booleans(),
    "strslice.StrSlice": st.one_of(st.lists(TEXTS, max_size=3), TEXTS),
    EMPTY_STRUCT: st.just({}),
}
#: One of so many values has a type that it must not have.
WRONG = 12


def document(kind: str, most: int = 6, **chosen: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a type of Go's; `chosen` has the strategies of fields, by the name of the field.

    A struct has at most so many fields.
    """
    return _mostly(_value(kind, most, chosen))


def _mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, WRONG).flatmap(lambda number: right if number else ANYTHING)


def _value(kind: str, most: int, chosen: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    kind = go_structs.NAMED.get(kind.removeprefix("*"), kind.removeprefix("*"))
    if kind in PLAIN:
        return PLAIN[kind]
    if array := ARRAY.fullmatch(kind):
        return st.lists(document(array[2], most, **chosen), max_size=3)
    if mapping := MAP.fullmatch(kind):
        return st.dictionaries(TEXTS, document(mapping[2], most, **chosen), max_size=3)
    fields = {
        name: chosen[name] if name in chosen else document(field_kind, most, **chosen)
        for name, field_kind in go_structs.fields(kind).values()
    }
    return st.sets(st.sampled_from(sorted(fields)), max_size=most).flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in sorted(names)})
    )


def printable(text: str) -> str:
    """Return a text without what a URL can't contain."""
    return re.sub(r"[^\x21-\x7e]", "?", text)
