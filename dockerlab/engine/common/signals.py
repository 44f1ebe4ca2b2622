"""Signal names as engines take them."""

from __future__ import annotations

import signal

from dockerlab.engine.faults import BadParameter

__all__ = ["number", "parse", "usable"]


def parse(text: str) -> int:
    """Give a signal's number: `TERM`, `SIGTERM`, `15`, `RTMIN+3` are understood. Raises ValueError for others."""
    word = str(text).strip().upper()
    if word.isdigit():
        value = int(word)
        if 0 < value < signal.NSIG:
            return value
        raise ValueError(text)
    word = word.removeprefix("SIG")
    for base, sign in (("RTMIN", "+"), ("RTMAX", "-")):
        if word.startswith(base):
            _, _, offset = word.partition(sign)
            value = int(getattr(signal, f"SIG{base}")) + (int(f"{sign}{offset}") if offset.isdigit() else 0)
            if signal.SIGRTMIN <= value <= signal.SIGRTMAX and (not offset or offset.isdigit()):
                return value
            raise ValueError(text)
    found = getattr(signal, f"SIG{word}", None)
    if not isinstance(found, signal.Signals):
        raise ValueError(text)
    return int(found)


def number(text: str) -> int:
    """Give the number of a signal that a client names. Raises BadParameter in Docker's words."""
    try:
        return parse(text)
    except ValueError:
        if text.isdigit() and int(text):
            raise BadParameter(f"the linux daemon does not support signal {text}") from None
        raise BadParameter(f"invalid signal: {text}") from None


def usable(text: str) -> bool:
    """Say whether there is such a signal."""
    try:
        parse(text)
    except ValueError:
        return False
    return True
