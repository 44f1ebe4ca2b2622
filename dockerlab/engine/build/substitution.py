"""Variables and quotes in a Dockerfile's words: `$NAME`, `${NAME:-default}`, `${NAME:+other}`."""

from __future__ import annotations

from dockerlab.engine.faults import BadParameter

__all__ = ["expand"]

LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
DIGITS = set("0123456789")


def expand(text: str, values: dict[str, str], escape: str = "\\") -> str:
    """Give what a word means: without its quotes, and with the values of its variables. Raises BadParameter."""
    reader = _Reader(text, values, escape)
    return reader.until("")


class _Reader:
    def __init__(self, text: str, values: dict[str, str], escape: str) -> None:
        self.text, self.values, self.escape, self.place = text, values, escape, 0

    def next(self) -> str:
        character = self.text[self.place : self.place + 1]
        self.place += 1
        return character

    def until(self, end: str) -> str:
        """Read to a character, or to the end of the text."""
        out = ""
        while character := self.next():
            if character == end:
                return out
            if character == "'":
                out += self._single()
            elif character == '"':
                out += self._double()
            elif character == "$":
                out += self._variable()
            elif character == self.escape:
                out += self.next()
            else:
                out += character
        if end:
            raise BadParameter(f"syntax error: missing '{end}'")
        return out

    def _single(self) -> str:
        end = self.text.find("'", self.place)
        if end < 0:
            raise BadParameter("unexpected end of statement while looking for matching single-quote")
        out, self.place = self.text[self.place : end], end + 1
        return out

    def _double(self) -> str:
        out = ""
        while character := self.next():
            if character == '"':
                return out
            if character == "$":
                out += self._variable()
            elif character == self.escape:
                after = self.next()
                out += after if after in ('"', "$", self.escape) else character + after
            else:
                out += character
        raise BadParameter("unexpected end of statement while looking for matching double-quote")

    def _name(self) -> str:
        begin, text = self.place, self.text
        if text[begin : begin + 1] in DIGITS:
            self.place += 1
            return text[begin]
        while self.text[self.place : self.place + 1] and self.text[self.place] in LETTERS | DIGITS:
            self.place += 1
        return text[begin : self.place]

    def _variable(self) -> str:
        if self.text[self.place : self.place + 1] != "{":
            name = self._name()
            return self.values.get(name, "") if name else "$"
        self.place += 1
        name = self._name()
        sign = self.next()
        if not name or not sign:
            raise BadParameter("syntax error: missing '}'" if not sign else "bad substitution")
        if sign == "}":
            return self.values.get(name, "")
        colon = sign == ":"
        sign = self.next() if colon else sign
        word = self.until("}")
        there = bool(self.values.get(name)) if colon else name in self.values
        if sign == "+":
            return word if there else ""
        if sign == "-":
            return self.values[name] if there else word
        if sign == "?":
            if there:
                return self.values[name]
            raise BadParameter(f"{name}: {word or 'not allowed to be unset'}")
        raise BadParameter(f"unsupported modifier ({sign}) in substitution")
