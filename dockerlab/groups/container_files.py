"""The part of `lab.container` that reads and writes the files of containers."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from dockerlab.errors import StreamBroken
from dockerlab.groups.base import Group, own_arguments
from dockerlab.groups.save_tar import save_or_list
from dockerlab.tables.container import CHANGES, path_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ContainerFiles"]

PATH_STAT = "X-Docker-Container-Path-Stat"


class ContainerFiles(Group):
    """Operations on the files of a container."""

    def export(
        self,
        id: str,
        to: str | os.PathLike[str] | None = None,
        *,
        progress: bool | Callable[[int], Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /containers/{id}/export.

        Without `to` returns one row per file, read from the tar as it arrives, without unpacking it: `path`, `kind`,
        `mode` (octal), `owner`, `group` (string), `uid`, `gid`, `size_bytes` (Int64), `mtime` (datetime, UTC),
        `target` (string, of links). With `to` writes the tar to that file, which exists only once it is complete, and
        returns one row: `path`, `size_bytes`. `progress` is called with the bytes so far; True shows a progress bar.
        Raises NotFound (404), ServerError (500), StreamBroken, ArgumentError for a file that can't be written.
        Source: Engine API, Container, ContainerExport.
        """
        answer = self._lab.open("ContainerExport", timeout=timeout, id=id)
        return save_or_list(answer, to, progress, f"export of {id}")

    def changes(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /containers/{id}/changes.

        Returns one row per path that differs from the image: `kind` (string: modified, added, deleted), `path`
        (string).
        Raises NotFound (404), ServerError (500). Source: Engine API, Container, ContainerChanges.
        """
        return self._array(CHANGES, "ContainerChanges", timeout=timeout, id=id)

    def archive(
        self,
        id: str,
        path: str,
        to: str | os.PathLike[str] | None = None,
        *,
        progress: bool | Callable[[int], Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /containers/{id}/archive.

        Reads a file or a directory of a container, running or stopped, as a tar. Without `to` returns one row per file,
        as export does; with `to` writes the tar to that file, and returns one row: `path`, `size_bytes`.
        Raises BadRequest (400), NotFound (404) for a path that does not exist, ServerError (500), StreamBroken.
        Source: Engine API, Container, ContainerArchive.
        """
        answer = self._lab.open("ContainerArchive", timeout=timeout, id=id, path=path)
        return save_or_list(answer, to, progress, f"{path} of {id}")

    def archive_info(self, id: str, path: str, *, timeout: float | None = None) -> pd.DataFrame:
        """HEAD /containers/{id}/archive.

        Returns one row about a path: `name`, `kind`, `mode` (octal; string), `size_bytes` (Int64), `mtime` (datetime,
        UTC), `target` (string, of a link). Raises BadRequest (400), NotFound (404), ServerError (500), StreamBroken if
        the engine's header can't be read. Source: Engine API, Container, ContainerArchiveInfo.
        """
        text = self._lab.call("ContainerArchiveInfo", timeout=timeout, id=id, path=path).header(PATH_STAT)
        try:
            return path_table(json.loads(base64.b64decode(text)))
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise StreamBroken(
                f"The engine's header {PATH_STAT} can't be decoded. Send the request again, or call container.archive."
            ) from None

    def put_archive(
        self,
        id: str,
        path: str,
        body: bytes | str | os.PathLike[str] | IO[bytes],
        *,
        no_overwrite_dir_non_dir: str | None = None,
        copy_uidgid: str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """PUT /containers/{id}/archive.

        Unpacks a tar (plain, or compressed with gzip, bzip2 or xz) in a directory of the container. `body` is the tar's
        bytes, path, or an open file. With `no_overwrite_dir_non_dir` "1" a file can't replace a directory, nor a
        directory a file; with `copy_uidgid` "1" the files belong to the container's user. Returns one row: `operation`,
        `object`, `status`, `changed`. Raises BadRequest (400) if it is not a tar, NotAllowed (403) if the path is
        read-only,
        NotFound (404), ServerError (500). Source: Engine API, Container, PutContainerArchive.
        """
        return self._outcome("PutContainerArchive", **own_arguments(locals()))
