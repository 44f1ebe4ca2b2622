"""Reading columns in which values may be missing."""

from __future__ import annotations

from typing import Any

import pandas as pd

__all__ = ["last_value"]


def last_value(values: pd.Series[Any]) -> Any:
    """Return the last value that is not missing, or None."""
    present = values.dropna()
    return present.iloc[-1] if len(present) else None
