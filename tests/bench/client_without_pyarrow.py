"""dockerlab where pandas has no pyarrow, as a plain installation of it has none."""

from __future__ import annotations

import sys

sys.modules["pyarrow"] = None  # type: ignore[assignment]  # what pandas then can't import

from client_dockerlab import Client  # noqa: E402

__all__ = ["Client"]
