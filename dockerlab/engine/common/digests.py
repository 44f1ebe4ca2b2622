"""Digests, which are the ids of images and layers. A path that contains a digest is made with `digits_of`."""

from __future__ import annotations

import re

from dockerlab.engine.faults import BadParameter

__all__ = ["digits_of", "is_digest", "is_identity"]

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
IDENTITY = re.compile(r"[0-9a-f]{64}")


def is_digest(value: object) -> bool:
    """Return whether a value is `sha256:` and 64 hexadecimal digits."""
    return isinstance(value, str) and DIGEST.fullmatch(value) is not None


def is_identity(value: object) -> bool:
    """Return whether a value is an id of a container or network: 64 hexadecimal digits."""
    return isinstance(value, str) and IDENTITY.fullmatch(value) is not None


def digits_of(digest: str) -> str:
    """Return the hexadecimal digits of a digest, which are safe in a path. Raises BadParameter in Docker's words."""
    if not is_digest(digest):
        algorithm, colon, digits = str(digest).partition(":")
        if colon and algorithm == "sha256" and re.fullmatch(r"[0-9a-f]+", digits):
            raise BadParameter("invalid checksum digest length")
        raise BadParameter("invalid checksum digest format")
    return digest.removeprefix("sha256:")
