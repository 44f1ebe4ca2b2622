"""Notes which operations an engine has answered, so that docs/coverage.md says where each was verified.

With `DOCKERLAB_VERIFIED=FILE` in the environment every operation that a test's Lab was answered without an error is one
line of that file; `python tests/support/coverage_table.py --keep FILE ENGINE` keeps them in tests/contract/verified.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["note"]

ERROR = 400


def note(exchanges: Iterable[Any]) -> None:
    """Append the operations that were answered well; one short write, so that several processes may share the file."""
    target = os.environ.get("DOCKERLAB_VERIFIED")
    found = sorted({one.operation.id for one in exchanges if 0 < one.status < ERROR})
    if target and found:
        with Path(target).open("a", encoding="utf-8") as file:
            file.write("".join(f"{name}\n" for name in found))
