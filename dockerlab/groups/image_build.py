"""`lab.image`, its part that makes images: pull and import, build, commit, load, push."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

from dockerlab.groups.base import Group, as_api_lists, own_arguments
from dockerlab.groups.progress import Progress, call_with_progress

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImageMaking"]

Texts = list[str]
Tar = bytes | str | os.PathLike[str] | IO[bytes]


class ImageMaking(Group):
    """Operations that make images, or send them elsewhere. Those that take long tell their progress."""

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

        Pulls an image by its name, or imports one: from_src="-" takes the files of a tar, `body`, an address one that
        the engine fetches; `repo` and `tag` name it then. `registry_auth` says who pulls.
        Returns one row a record of its progress: `id`, `status` (string), `current_bytes`, `total_bytes` (Int64),
        `stream`, `error` (string), `aux` (object). A notebook shows it live, a bar a layer and the latest words, unless
        progress=False; progress=True prints them in a terminal; a `dockerlab.widgets.Steps` of yours shows them
        where you have put it, and any function is called with the bytes so far.
        Raises BadRequest (400), NotAllowed (401, 403), NotFound (404), ServerError (500), and OperationFailed for what
        goes wrong later. Source: Engine API, Image, ImageCreate.
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

        Sends an image to the registry that its name begins with. Returns one row a record of its progress, as create
        does. `registry_auth` says who pushes; without it nobody does. `platform` needs API 1.46.
        Raises NotFound (404), ServerError (500), and OperationFailed for what goes wrong later.
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

        Takes the images out of a tar as get, get_all and docker save write it: its bytes, its path, or an open file.
        Returns one row a record of its progress, as create does. `platform` needs API 1.48.
        Raises BadRequest (400), ServerError (500), and OperationFailed for what goes wrong later.
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

        Builds an image from a tar with a Dockerfile in it, `body`, or from an address, `remote`. Returns one row a
        record of what the build tells, as create does: its words are in `stream`, the image's id is in `aux`.
        `t` names the image, `target` is the stage to stop at. And: `extrahosts`, `memory`, `memswap`, `cpushares`,
        `cpusetcpus`, `cpuperiod`, `cpuquota`, `shmsize` (bytes), `squash`, `networkmode`, `platform`, `outputs`,
        `version` ("1": the builder of the engine, "2": BuildKit, which needs a session), `content_type`.
        Raises BadRequest (400), ServerError (500), and OperationFailed if a step fails: its `table` has all words.
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
        (bytes). `all` takes what is in use, too; the spaces are in bytes, and but for the first need API 1.48.
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

        Makes an image of a container as it stands. Returns a long table: `field` Id and its `value`. `changes` are
        lines of a Dockerfile: "CMD top". What the image's containers are to run with may be given, too, as for
        container.create: `cmd`, `env`, `labels`, `working_dir`, … Without `pause` the container stands still meanwhile.
        Raises NotFound (404), ServerError (500). Source: Engine API, Image, ImageCommit.
        """
        arguments = own_arguments(locals(), "config")
        return self._object("ImageCommit", **arguments, **as_api_lists(config), body={})
