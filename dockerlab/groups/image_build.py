"""The part of `lab.image` that creates and transfers images: pull, import, build, commit, load, push."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

from dockerlab.groups.base import Group, as_api_lists, own_arguments
from dockerlab.groups.progress import Progress, call_with_progress

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImageBuild"]

Texts = list[str]
Tar = bytes | str | os.PathLike[str] | IO[bytes]


class ImageBuild(Group):
    """Operations that create or transfer images. Those that take long report their progress."""

    def create(
        self,
        from_image: str | None = None,
        *,
        tag: str | None = None,
        from_src: str | None = None,
        repo: str | None = None,
        message: str | None = None,
        changes: Texts | None = None,
        platform: str | None = None,
        registry_auth: dict[str, str] | str | None = None,
        body: Tar | None = None,
        progress: Progress = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /images/create.

        Pulls an image by its name, or imports one: with from_src="-" from the tar in `body`, with a URL from a tar that
        the engine downloads; `repo` and `tag` then name the image. `registry_auth` are the credentials for the
        registry. Returns one row per progress record: `id`, `status` (string), `current_bytes`, `total_bytes` (Int64),
        `stream`, `error` (string), `aux` (object). A notebook shows the progress live, with one bar per layer and the
        latest lines, unless progress=False. In a terminal, progress=True prints it. A `dockerlab.widgets.Steps` shows
        it where you display that widget, and any function is called with the number of bytes so far.
        Raises BadRequest (400), NotAllowed (401, 403), NotFound (404), ServerError (500), and OperationFailed if it
        fails later. Source: Engine API, Image, ImageCreate.
        """
        arguments = own_arguments(locals(), "progress")
        return call_with_progress(self._lab, "ImageCreate", progress, f"pull of {from_image or repo}", **arguments)

    def push(
        self,
        name: str,
        *,
        tag: str | None = None,
        platform: dict[str, str] | str | None = None,
        registry_auth: dict[str, str] | str | None = None,
        progress: Progress = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /images/{name}/push.

        Uploads an image to the registry in its name. Returns one row per progress record, as create does.
        `registry_auth` are the credentials for the registry; without them the push is anonymous. `platform` needs API
        1.46.
        Raises NotFound (404), ServerError (500), and OperationFailed if it fails later.
        Source: Engine API, Image, ImagePush.
        """
        arguments = own_arguments(locals(), "progress")
        arguments["registry_auth"] = registry_auth or {}
        return call_with_progress(self._lab, "ImagePush", progress, f"push of {name}", **arguments)

    def load(
        self,
        body: Tar,
        *,
        quiet: bool | None = None,
        platform: dict[str, str] | str | None = None,
        progress: Progress = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /images/load.

        Loads the images in a tar that get, get_all or docker save wrote: the tar's bytes, path, or an open file.
        Returns one row per progress record, as create does. `platform` needs API 1.48.
        Raises BadRequest (400), ServerError (500), and OperationFailed if it fails later.
        Source: Engine API, Image, ImageLoad.
        """
        return call_with_progress(self._lab, "ImageLoad", progress, "load", **own_arguments(locals(), "progress"))

    def build(
        self,
        body: Tar | None = None,
        *,
        t: str | None = None,
        dockerfile: str | None = None,
        remote: str | None = None,
        buildargs: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        target: str | None = None,
        nocache: bool | None = None,
        cachefrom: Texts | None = None,
        pull: str | None = None,
        q: bool | None = None,
        rm: bool | None = None,
        forcerm: bool | None = None,
        registry_config: dict[str, Any] | str | None = None,
        progress: Progress = None,
        timeout: float | None = None,
        **more: Any,
    ) -> pd.DataFrame:
        """POST /build.

        Builds an image from a tar with a Dockerfile in it, `body`, or from a URL, `remote`. Returns one row per record
        of the build, as create does: its output is in `stream`, the image's id in `aux`. `t` is the image's name,
        `target` the stage to stop at. Further parameters are `extrahosts`, `memory`, `memswap`, `cpushares`,
        `cpusetcpus`, `cpuperiod`, `cpuquota`, `shmsize` (bytes), `squash`, `networkmode`, `platform`, `outputs`,
        `version` ("1" for the engine's classic builder, "2" for BuildKit, which needs a session), `content_type`.
        Raises BadRequest (400), ServerError (500), and OperationFailed if a step fails: its `table` has the output.
        Source: Engine API, Image, ImageBuild.
        """
        arguments = own_arguments(locals(), "progress", "more") | more
        return call_with_progress(self._lab, "ImageBuild", progress, f"build of {t or 'an image'}", **arguments)

    def build_prune(
        self,
        *,
        all: bool | None = None,
        keep_storage: int | None = None,
        reserved_space: int | None = None,
        max_used_space: int | None = None,
        min_free_space: int | None = None,
        filters: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /build/prune.

        Empties the build cache. Returns a long table: `field` and `value` of `CachesDeleted` and `SpaceReclaimed`
        (bytes). `all` includes entries that are in use. The sizes are in bytes; all except `keep_storage` need API
        1.48.
        Raises BadRequest (400), ServerError (500). Source: Engine API, Image, BuildPrune.
        """
        return self._object("BuildPrune", **own_arguments(locals()))

    def commit(
        self,
        container: str,
        *,
        repo: str | None = None,
        tag: str | None = None,
        comment: str | None = None,
        author: str | None = None,
        pause: bool | None = None,
        changes: str | None = None,
        timeout: float | None = None,
        **config: Any,
    ) -> pd.DataFrame:
        """POST /commit.

        Creates an image from the current state of a container. Returns a long table: `field` Id and its `value`.
        `changes` are lines of a Dockerfile: "CMD top". The configuration of the image can also be given as arguments,
        as for container.create: `cmd`, `env`, `labels`, `working_dir`, … The container is paused during the commit,
        unless pause=False.
        Raises NotFound (404), ServerError (500). Source: Engine API, Image, ImageCommit.
        """
        arguments = own_arguments(locals(), "config")
        return self._object("ImageCommit", **arguments, **as_api_lists(config), body={})
