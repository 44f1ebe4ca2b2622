"""Reads the docker command's config.json, and finds its directory. Nothing here writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dockerlab.errors import DockerlabError

__all__ = ["folder", "home", "read", "settings"]

#: Anything longer is not a config.json.
MAX_BYTES = 4 << 20


def home(env: Mapping[str, str]) -> Path | None:
    """Return the user's home, or None if HOME is not set."""
    return Path(env["HOME"]) if env.get("HOME") else None


def folder(env: Mapping[str, str]) -> Path | None:
    """Return the directory of config.json: DOCKER_CONFIG, else ~/.docker, or None if neither is known."""
    if env.get("DOCKER_CONFIG"):
        return Path(env["DOCKER_CONFIG"])
    user_home = home(env)
    return user_home / ".docker" if user_home else None


def settings(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of config.json, empty if there is none. Raises DockerlabError if it can't be read."""
    directory = folder(env)
    return {} if directory is None else read(directory / "config.json", "DOCKER_CONFIG")


def read(path: Path, variable: str) -> dict[str, Any]:
    """Return the JSON object in a file, empty if there is no file. Raises DockerlabError if it can't be read.

    `variable` is the environment variable that chooses another file; the error names it.
    """
    fix = f"Correct that file, or name another with {variable}."
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(MAX_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or f"it is not JSON ({error})"
        raise DockerlabError(f"{path} can't be read: {reason}. {fix}") from None
    if not isinstance(content, dict):
        raise DockerlabError(f"{path} is not a JSON object. {fix}")
    return content
