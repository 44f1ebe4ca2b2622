"""`lab.image`: operations on images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group
from dockerlab.tables.image import image_list

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImageGroup"]


class ImageGroup(Group):
    """Operations on images. An image is named by a name with or without tag, a digest, or its id.

    Every method takes `timeout`, in seconds, in place of the Lab's: how long to wait for the engine's next bytes.
    """

    def list(
        self,
        *,
        all: bool | None = None,
        filters: dict[str, Any] | None = None,
        shared_size: bool | None = None,
        digests: bool | None = None,
        manifests: bool | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /images/json.

        Returns one row an image: `repo_tags` (string), `size_bytes` (Int64), `created` (datetime, UTC),
        `containers` (Int64), `labels` (object), `repo_digests` (string), `shared_size_bytes` (Int64), `parent_id`,
        `id` (string).

        `all` adds intermediate images; `filters` are before, dangling, label, reference, since, until;
        `shared_size` needs API 1.42, `manifests` 1.47.
        Raises ServerError (500). Source: Engine API, Image, ImageList.
        """
        asked = self._lab.call(
            "ImageList",
            timeout=timeout,
            all=all,
            filters=filters,
            shared_size=shared_size,
            digests=digests,
            manifests=manifests,
        )
        return image_list(asked.json())

    def inspect(
        self,
        name: str,
        *,
        manifests: bool | None = None,
        platform: dict[str, str] | str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /images/{name}/json.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON); `Size` is in bytes.
        `manifests` needs API 1.48, `platform` (an OCI platform) 1.49.
        Raises NotFound (404), ServerError (500). Source: Engine API, Image, ImageInspect.
        """
        return self._object("ImageInspect", timeout=timeout, name=name, manifests=manifests, platform=platform)
