"""The names of signals, as engines accept them."""

from __future__ import annotations

import signal

from dockerlab.engine.faults import BadParameter

__all__ = ["is_known", "number", "parse"]


def parse(text: str) -> int:
    """Return the number of `TERM`, `SIGTERM`, `15` or `RTMIN+3`. Raises ValueError for an unknown signal."""
    word = str(text).strip().upper()
    if word.isdigit():
        value = int(word)
        if 0 < value < signal.NSIG:
            return value
        raise ValueError(text)
    word = word.removeprefix("SIG")
    for base, sign in (("RTMIN", "+"), ("RTMAX", "-")):
        if word.startswith(base):
            return _realtime(word, base, sign)
    member = getattr(signal, f"SIG{word}", None)
    if not isinstance(member, signal.Signals):
        raise ValueError(text)
    return int(member)


def _realtime(word: str, base: str, sign: str) -> int:
    """Return the number of a realtime signal: `base` alone, or followed by `sign` and an offset."""
    _, _, offset = word.partition(sign)
    if offset and not offset.isdigit():
        raise ValueError(word)
    value = int(getattr(signal, f"SIG{base}")) + (int(f"{sign}{offset}") if offset else 0)
    if not signal.SIGRTMIN <= value <= signal.SIGRTMAX:
        raise ValueError(word)
    return value


def number(text: str) -> int:
    """Return the number of a signal that a client names. Raises BadParameter with Docker's message."""
    try:
        return parse(text)
    except ValueError:
        if text.isdigit() and int(text):
            raise BadParameter(f"the linux daemon does not support signal {text}") from None
        raise BadParameter(f"invalid signal: {text}") from None


def is_known(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
