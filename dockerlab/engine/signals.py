"""Signal names as engines take them."""

from __future__ import annotations

import signal

__all__ = ["parse", "usable"]


def parse(text: str) -> int:
    """Give a signal's number: `TERM`, `SIGTERM`, `15`, `RTMIN+3` are understood. Raises ValueError for others."""
    word = str(text).strip().upper()
    if word.isdigit():
        number = int(word)
        if 0 < number < signal.NSIG:
            return number
        raise ValueError(text)
    word = word.removeprefix("SIG")
    for base, sign in (("RTMIN", "+"), ("RTMAX", "-")):
        if word.startswith(base):
            _, _, offset = word.partition(sign)
            number = int(getattr(signal, f"SIG{base}")) + (int(f"{sign}{offset}") if offset.isdigit() else 0)
            if signal.SIGRTMIN <= number <= signal.SIGRTMAX and (not offset or offset.isdigit()):
                return number
            raise ValueError(text)
    found = getattr(signal, f"SIG{word}", None)
    if not isinstance(found, signal.Signals):
        raise ValueError(text)
    return int(found)


def usable(text: str) -> bool:
    """Say whether there is such a signal."""
    try:
        parse(text)
    except ValueError:
        return False
    return True
