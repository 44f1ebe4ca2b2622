"""The docker command's own directory and its config.json: what dockerlab reads of them, and never writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dockerlab.errors import DockerlabError

__all__ = ["folder", "home", "read", "settings"]

#: A config.json is a page of text; what is longer is something else.
MOST_BYTES = 4 << 20


def home(env: Mapping[str, str]) -> Path | None:
    """Give the user's home, or None where the environment names none."""
    return Path(env["HOME"]) if env.get("HOME") else None


def folder(env: Mapping[str, str]) -> Path | None:
    """Give the directory of config.json: DOCKER_CONFIG, else ~/.docker; None if neither is known."""
    if env.get("DOCKER_CONFIG"):
        return Path(env["DOCKER_CONFIG"])
    at = home(env)
    return at / ".docker" if at else None


def settings(env: Mapping[str, str]) -> dict[str, Any]:
    """Read config.json; empty if there is none. Raises DockerlabError if it is there and can't be read."""
    at = folder(env)
    return {} if at is None else read(at / "config.json", "DOCKER_CONFIG")


def read(path: Path, variable: str) -> dict[str, Any]:
    """Read a file of settings; empty if there is none. Raises DockerlabError if it is there and can't be read.

    `variable` is the one that names another file, for the error.
    """
    mend = f"Mend that file, or name another with {variable}."
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or f"it is not JSON ({error})"
        raise DockerlabError(f"{path} can't be read: {reason}. {mend}") from None
    if not isinstance(found, dict):
        raise DockerlabError(f"{path} holds no JSON object. {mend}")
    return found
