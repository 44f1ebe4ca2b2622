"""`lab.distribution`: what a registry says of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.groups.base import Group

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DistributionGroup"]


class DistributionGroup(Group):
    """Questions to a registry, which the engine passes on."""

    def inspect(
        self, name: str, *, registry_auth: dict[str, str] | str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """GET /distribution/{name}/json.

        Asks the image's registry, and pulls nothing. Returns a long table: `field` and `value` of `Descriptor`
        (mediaType, digest, size in bytes) and `Platforms`. `registry_auth` says who asks.
        Raises NotAllowed (401, 403) if the registry refuses, NotFound (404), ServerError (500; older engines give it
        for all that a registry refuses).
        Source: Engine API, Distribution, DistributionInspect.
        """
        return self._object("DistributionInspect", timeout=timeout, name=name, registry_auth=registry_auth)
