"""`lab.image`: operations on images."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import own_arguments
from dockerlab.groups.image_build import ImageBuild
from dockerlab.groups.save_tar import save_or_list
from dockerlab.protocol.exchange import Exchange
from dockerlab.tables.image import ATTESTATIONS, DELETED, HISTORY, LIST, SEARCH
from dockerlab.tables.inspection import image_inspections

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImageGroup"]

Texts = list[str]
Platforms = list[dict[str, str]]


class ImageGroup(ImageBuild):
    """Operations on images. Methods take an image's name (with or without tag), a digest, or its id.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def list(
        self,
        *,
        all: bool | None = None,
        filters: dict[str, Any] | None = None,
        shared_size: bool | None = None,
        digests: bool | None = None,
        manifests: bool | None = None,
        identity: bool | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /images/json.

        Returns one row per image: `repo_tags` (string), `size_bytes` (Int64), `created` (datetime, UTC),
        `containers` (Int64), `labels` (object), `repo_digests` (string), `shared_size_bytes` (Int64), `parent_id`,
        `id` (string).

        `all` adds intermediate images; `filters` are before, dangling, label, reference, since, until;
        `shared_size` needs API 1.42, `manifests` 1.47, `identity` 1.54.
        Raises ServerError (500). Source: Engine API, Image, ImageList.
        """
        return self._array(LIST, "ImageList", **own_arguments(locals()))

    def inspect(
        self,
        name: str | Texts,
        *,
        manifests: bool | None = None,
        platform: dict[str, str] | str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /images/{name}/json.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON); `Size` is in bytes.
        A list of names returns one wide table with one row per image, requested concurrently: see
        dockerlab.tables.inspection.
        `manifests` needs API 1.48, `platform` (an OCI platform) 1.49.
        Raises NotFound (404), ServerError (500). Source: Engine API, Image, ImageInspect.
        """
        if isinstance(name, str):
            return self._object("ImageInspect", timeout=timeout, name=name, manifests=manifests, platform=platform)
        arguments = [{"name": one, "manifests": manifests, "platform": platform} for one in name]
        return image_inspections(self._gather("ImageInspect", arguments, Exchange.json, timeout))

    def history(
        self, name: str, *, platform: dict[str, str] | str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """GET /images/{name}/history.

        Returns one row per build step, the newest first: `created` (datetime, UTC), `created_by` (string),
        `size_bytes` (Int64), `comment`, `tags`, `id` (string; <missing> if this engine has no such image).
        `platform` needs API 1.48. Raises NotFound (404), ServerError (500). Source: Engine API, Image, ImageHistory.
        """
        return self._array(HISTORY, "ImageHistory", timeout=timeout, name=name, platform=platform)

    def attestations(
        self,
        name: str,
        *,
        platform: Texts | str | None = None,
        type: Texts | str | None = None,
        statement: bool | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /images/{name}/attestations.

        Returns one row per statement about how the image was built: `digest`, `media_type` (string), `size_bytes`
        (Int64), `predicate_type` (string), `statement` (object, with statement=True). Needs API 1.55.
        Raises BadRequest (400), NotFound (404), ServerError (500; 501 if the engine stores none).
        Source: Engine API, Image, ImageAttestations.
        """
        return self._array(ATTESTATIONS, "ImageAttestations", **own_arguments(locals()))

    def search(
        self,
        term: str,
        *,
        limit: int | None = None,
        filters: dict[str, Any] | None = None,
        registry_auth: dict[str, str] | str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /images/search.

        Searches the registry in `term`, by default Docker Hub. Returns one row per image: `name`, `description`
        (string), `stars` (Int64), `official`, `automated` (boolean). `filters` are is-official, stars. `registry_auth`
        are the credentials for the registry.
        Raises BadRequest (400), ServerError (500), for example if the registry is unreachable.
        Source: Engine API, Image, ImageSearch.
        """
        return self._array(SEARCH, "ImageSearch", **own_arguments(locals()))

    def tag(self, name: str, repo: str, *, tag: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /images/{name}/tag.

        Gives an image one more name; an image that had this name before loses it. Returns one row: `operation`,
        `object`, `status`, `changed`. Raises BadRequest (400) for an invalid name, NotFound (404), Conflict (409),
        ServerError (500). Source: Engine API, Image, ImageTag.
        """
        return self._outcome("ImageTag", timeout=timeout, name=name, repo=repo, tag=tag)

    def delete(
        self,
        name: str,
        *,
        force: bool | None = None,
        noprune: bool | None = None,
        platforms: Platforms | str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """DELETE /images/{name}.

        Removes a name of an image, and with its last name the image. Returns one row per removed name or layer:
        `untagged`, `deleted` (string). `noprune` keeps its parents; `platforms` needs API 1.50.
        Raises NotFound (404), Conflict (409) if a container uses it, ServerError (500).
        Source: Engine API, Image, ImageDelete.
        """
        return self._array(DELETED, "ImageDelete", **own_arguments(locals()))

    def prune(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /images/prune.

        Removes images without a name, or with {"dangling": ["false"]} all that no container uses. Returns a long
        table: `field` and `value` of `ImagesDeleted` and `SpaceReclaimed` (bytes). `filters` are dangling, label,
        label!, until: use a label of yours to spare other people's.
        Raises BadRequest (400), ServerError (500). Source: Engine API, Image, ImagePrune.
        """
        return self._object("ImagePrune", timeout=timeout, filters=filters)

    def get(
        self,
        name: str,
        to: str | os.PathLike[str] | None = None,
        *,
        platform: dict[str, str] | str | None = None,
        progress: bool | Callable[[int], Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /images/{name}/get.

        Exports an image as a tar that load accepts. Without `to` returns one row per file in the tar, as
        container.export does; with `to` writes the tar to that file, and returns one row: `path`, `size_bytes`.
        `platform` needs API 1.48.
        Raises NotFound (404), ServerError (500), StreamBroken. Source: Engine API, Image, ImageGet.
        """
        answer = self._lab.open("ImageGet", timeout=timeout, name=name, platform=platform)
        return save_or_list(answer, to, progress, f"tar of {name}")

    def get_all(
        self,
        names: Texts,
        to: str | os.PathLike[str] | None = None,
        *,
        platform: dict[str, str] | str | None = None,
        progress: bool | Callable[[int], Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /images/get.

        Exports several images as one tar; the rest as get. Raises NotFound (404), ServerError (500), StreamBroken.
        Source: Engine API, Image, ImageGetAll.
        """
        answer = self._lab.open("ImageGetAll", timeout=timeout, names=names, platform=platform)
        return save_or_list(answer, to, progress, f"tar of {', '.join(names)}")
