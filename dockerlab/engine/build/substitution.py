"""Variables and quotes in the words of a Dockerfile: `$NAME`, `${NAME:-default}`, `${NAME:+other}`."""

from __future__ import annotations

from dockerlab.engine.faults import BadParameter

__all__ = ["expand", "quote"]

LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
DIGITS = set("0123456789")
#: How many characters variables may bring into one word, and how deep they may be nested. A Dockerfile may be hostile:
#: a variable that is twice its own value becomes too large for any memory after a few lines.
MAX_LENGTH, MAX_DEPTH = 1 << 20, 100


def expand(text: str, values: dict[str, str], escape: str = "\\") -> str:
    """Return a word without its quotes, and with the values of its variables. Raises BadParameter."""
    return _Reader(text, values, escape).read_until("")


def quote(text: str) -> str:
    """Return a word in quotes, so that `expand` returns it unchanged."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\\n")
    return f'"{escaped}"'


class _Reader:
    """Reads a text from left to right. `place` is the index of the next character."""

    def __init__(self, text: str, values: dict[str, str], escape: str) -> None:
        self.text, self.values, self.escape, self.place = text, values, escape, 0
        self.length = self.depth = 0

    def _next(self) -> str:
        character = self.text[self.place : self.place + 1]
        self.place += 1
        return character

    def read_until(self, end: str) -> str:
        """Read up to a character, or to the end of the text if `end` is empty."""
        parts: list[str] = []
        while character := self._next():
            if character == end:
                return "".join(parts)
            if character == "'":
                parts.append(self._single_quoted())
            elif character == '"':
                parts.append(self._double_quoted())
            elif character == "$":
                parts.append(self._variable())
            else:
                parts.append(self._next() if character == self.escape else character)
        if end:
            raise BadParameter(f"syntax error: missing '{end}'")
        return "".join(parts)

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.place)
        if end < 0:
            raise BadParameter("unexpected end of statement while looking for matching single-quote")
        result, self.place = self.text[self.place : end], end + 1
        return result

    def _double_quoted(self) -> str:
        parts: list[str] = []
        while character := self._next():
            if character == '"':
                return "".join(parts)
            if character == "$":
                parts.append(self._variable())
            elif character == self.escape:
                escaped = self._next()
                parts.append(escaped if escaped in ('"', "$", self.escape) else character + escaped)
            else:
                parts.append(character)
        raise BadParameter("unexpected end of statement while looking for matching double-quote")

    def _name(self) -> str:
        start, text = self.place, self.text
        if text[start : start + 1] in DIGITS:  # a positional parameter has one digit only
            self.place += 1
            return text[start]
        while text[self.place : self.place + 1] and text[self.place] in LETTERS | DIGITS:
            self.place += 1
        return text[start : self.place]

    def _variable(self) -> str:
        """Read a variable, and return its value. Raises BadParameter for values that are too long, too."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise BadParameter("syntax error: the variables are nested too deeply")
        value = self._value()
        self.depth -= 1
        self.length += len(value)
        if self.length > MAX_LENGTH:
            raise BadParameter(f"the values of variables have more than {MAX_LENGTH} characters")
        return value

    def _value(self) -> str:
        if self.text[self.place : self.place + 1] != "{":
            name = self._name()
            return self.values.get(name, "") if name else "$"
        self.place += 1
        name = self._name()
        operator = self._next()
        if not name or not operator:
            raise BadParameter("syntax error: missing '}'" if not operator else "bad substitution")
        if operator == "}":
            return self.values.get(name, "")
        empty_is_unset = operator == ":"
        operator = self._next() if empty_is_unset else operator
        word = self.read_until("}")
        is_set = bool(self.values.get(name)) if empty_is_unset else name in self.values
        if operator == "+":
            return word if is_set else ""
        if operator == "-":
            return self.values[name] if is_set else word
        if operator == "?":
            if is_set:
                return self.values[name]
            raise BadParameter(f"{name}: {word or 'not allowed to be unset'}")
        raise BadParameter(f"unsupported modifier ({operator}) in substitution")
