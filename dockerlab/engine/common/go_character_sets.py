"""The sets of characters in Go's regular expressions: `[a-z]`, `\\d`, `[[:alpha:]]`, `\\pL`."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace

__all__ = ["ANY", "NOT_NEWLINE", "PERL", "POSIX", "CharacterSet", "category"]

Ranges = list[tuple[int, int]]
HIGHEST = 0x10FFFF
CATEGORIES = {
    "C": ("Cc", "Cf", "Co", "Cs"),
    "L": ("Ll", "Lm", "Lo", "Lt", "Lu"),
    "M": ("Mc", "Me", "Mn"),
    "N": ("Nd", "Nl", "No"),
    "P": ("Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps"),
    "S": ("Sc", "Sk", "Sm", "So"),
    "Z": ("Zl", "Zp", "Zs"),
}
#: Unicode's scripts are not in Python's tables. These are the ones whose characters have the script in their name.
SCRIPTS = {
    **{name: name.upper() for name in ("Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Ethiopic")},
    **{name: name.upper() for name in ("Georgian", "Greek", "Hangul", "Hebrew", "Hiragana", "Katakana", "Khmer")},
    **{name: name.upper() for name in ("Lao", "Latin", "Mongolian", "Myanmar", "Sinhala", "Tamil", "Telugu", "Thai")},
    "Han": "CJK UNIFIED",
}
#: The letters that more than two characters are the same as, if case doesn't matter.
EXTRA_CASES = {"k": "\u212a", "s": "\u017f", "\u00e5": "\u212b", "\u03c9": "\u2126", "\u00df": "\u1e9e"}


@dataclass(slots=True)
class CharacterSet:
    """Ranges of characters, categories of Unicode, and other sets; perhaps negated, perhaps without regard to case."""

    ranges: Ranges = field(default_factory=list)
    categories: tuple[str, ...] = ()
    script: str = ""
    members: list[CharacterSet] = field(default_factory=list)
    is_negated: bool = False
    ignores_case: bool = False
    _cache: dict[str, bool] = field(default_factory=dict)

    def negated(self) -> CharacterSet:
        """Return the set of all other characters."""
        return CharacterSet(members=[self], is_negated=True)

    def without_case(self) -> CharacterSet:
        """Return the set with the other case of each character. Case is ignored before a set is negated, not after."""
        members = [each.without_case() for each in self.members]
        return replace(self, members=members, ignores_case=True, _cache={})

    def __contains__(self, character: str) -> bool:
        answer = self._cache.get(character)
        if answer is None:
            forms = _cases(character) if self.ignores_case else {character}
            answer = any(map(self._has, forms)) is not self.is_negated
            self._cache[character] = answer
        return answer

    def _has(self, character: str) -> bool:
        number = ord(character)
        if any(low <= number <= high for low, high in self.ranges) or any(character in each for each in self.members):
            return True
        if self.script:
            return unicodedata.name(character, "").startswith(f"{self.script} ")
        return bool(self.categories) and unicodedata.category(character) in self.categories


def category(name: str) -> CharacterSet | None:
    """Return the characters of `\\p{name}`, or None for an unknown name."""
    if name == "Any":
        return CharacterSet([(0, HIGHEST)])
    if name in SCRIPTS:
        return CharacterSet(script=SCRIPTS[name])
    categories = CATEGORIES.get(name) or tuple(each for each in CATEGORIES.get(name[:1], ()) if each == name)
    return CharacterSet(categories=categories) if categories else None


def _cases(character: str) -> set[str]:
    """Return the characters that are the same as this one if case doesn't matter."""
    forms = {character}
    for _ in range(2):
        forms |= {form for each in forms for form in (each.lower(), each.upper()) if len(form) == 1}
    return forms | {EXTRA_CASES[each] for each in forms if each in EXTRA_CASES}


def _of(text: str) -> CharacterSet:
    """Return the set of ranges that are written one after the other, such as `azAZ`."""
    return CharacterSet([(ord(low), ord(high)) for low, high in zip(text[::2], text[1::2], strict=True)])


ANY = CharacterSet([(0, HIGHEST)])
NOT_NEWLINE = _of("\n\n").negated()
PERL = {"d": _of("09"), "s": _of("\t\n\f\r  "), "w": _of("09AZaz__")}
PERL |= {name.upper(): characters.negated() for name, characters in PERL.items()}
POSIX = {
    "alnum": _of("09AZaz"),
    "alpha": _of("AZaz"),
    "ascii": _of("\0\x7f"),
    "blank": _of("\t\t  "),
    "cntrl": _of("\0\x1f\x7f\x7f"),
    "digit": _of("09"),
    "graph": _of("!~"),
    "lower": _of("az"),
    "print": _of(" ~"),
    "punct": _of("!/:@[`{~"),
    "space": _of("\t\r  "),
    "upper": _of("AZ"),
    "word": _of("09AZaz__"),
    "xdigit": _of("09AFaf"),
}
POSIX |= {f"^{name}": characters.negated() for name, characters in POSIX.items()}
