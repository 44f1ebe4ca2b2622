"""`lab.distribution`: questions to a registry about an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.groups.base import Group

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DistributionGroup"]


class DistributionGroup(Group):
    """Questions to a registry, sent through the engine."""

    def inspect(
        self, name: str, *, registry_auth: dict[str, str] | str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """GET /distribution/{name}/json.

        Asks the image's registry without pulling anything. Returns a long table: `field` and `value` of `Descriptor`
        (mediaType, digest, size in bytes) and `Platforms`. `registry_auth` are the credentials for the registry.
        Raises NotAllowed (401, 403) if the registry rejects the request, NotFound (404), ServerError (500; older
        engines send it whenever a registry rejects a request).
        Source: Engine API, Distribution, DistributionInspect.
        """
        return self._object("DistributionInspect", timeout=timeout, name=name, registry_auth=registry_auth)
