"""The tasks with dockerlab when pandas has no pyarrow, as after a plain installation."""

from __future__ import annotations

import sys

sys.modules["pyarrow"] = None  # type: ignore[assignment]  # what pandas then can't import

from client_dockerlab import Client  # noqa: E402

__all__ = ["Client"]
