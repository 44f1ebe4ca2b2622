"""The tasks with dockerlab when pandas has no pyarrow, as in a plain installation of dockerlab."""

from __future__ import annotations

import sys

sys.modules["pyarrow"] = None  # type: ignore[assignment]  # so that pandas can't import it

from client_dockerlab import Client  # noqa: E402

__all__ = ["Client"]
