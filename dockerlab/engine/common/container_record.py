"""A container's record: the document that `container.json` holds, with a name for each part.

Networks, storage, images and events take the record instead of the container. They need what a container is, not the
state machine around its process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dockerlab.engine.common import json_files

__all__ = ["FILE", "ContainerRecord", "Document"]

FILE = "container.json"
Document = dict[str, Any]


class ContainerRecord:
    """The record of one container. Its `document` is stored as it is, so its keys are a file format."""

    def __init__(self, directory: Path, document: Document) -> None:
        self.directory = directory
        self.document = document

    def save(self) -> None:
        json_files.write(self.directory / FILE, self.document)

    @property
    def root(self) -> Path:
        """The directory with the container's files."""
        return self.directory / "rootfs"

    @property
    def log_path(self) -> Path:
        return self.directory / "container.log"

    @property
    def id(self) -> str:
        return str(self.document["Id"])

    @property
    def name(self) -> str:
        """The name, without the slash that the API puts before it."""
        return str(self.document["Name"])

    @name.setter
    def name(self, name: str) -> None:
        self.document["Name"] = name

    @property
    def created(self) -> str:
        return str(self.document["Created"])

    @property
    def command(self) -> list[str]:
        """The program of the main process and its arguments."""
        return [self.document["Path"], *self.document["Args"]]

    @property
    def image_id(self) -> str:
        """The id of the image, or an empty text for a container without one."""
        return str(self.document["Image"])

    @property
    def image_name(self) -> str:
        """The image as the client named it."""
        return str(self.config["Image"])

    @property
    def layers(self) -> list[str]:
        """The layers of the image when the container was created. The image may have been removed since."""
        return self.document["Layers"]  # type: ignore[no-any-return]

    @property
    def config(self) -> Document:
        return self.document["Config"]  # type: ignore[no-any-return]

    @property
    def labels(self) -> dict[str, str]:
        return self.config["Labels"] or {}

    @property
    def host_config(self) -> Document:
        return self.document["HostConfig"]  # type: ignore[no-any-return]

    @property
    def network_mode(self) -> str:
        return str(self.host_config["NetworkMode"])

    @property
    def endpoints(self) -> dict[str, Document]:
        """The requested endpoint settings by network name; `Live` in them is what a running container has there."""
        return self.document["Endpoints"]  # type: ignore[no-any-return]

    @endpoints.setter
    def endpoints(self, endpoints: dict[str, Document]) -> None:
        self.document["Endpoints"] = endpoints

    @property
    def mount_points(self) -> list[Document]:
        """The mounts as inspect shows them; records of old engines have none."""
        return self.document.get("MountPoints", [])  # type: ignore[no-any-return]

    @property
    def volume_names(self) -> list[str]:
        return [point["Name"] for point in self.mount_points if point["Type"] == "volume"]

    # -- what changes while it runs ----------------------------------------------------------------------------

    @property
    def state(self) -> Document:
        """The `State` object of inspect."""
        return self.document["State"]  # type: ignore[no-any-return]

    @property
    def is_running(self) -> bool:
        """Whether the main process runs. `State.Running` is also true while a container waits for its restart."""
        return bool(self.state["Running"] and not self.state["Restarting"])

    @property
    def stop_requested(self) -> bool:
        """Whether a client stopped the container, so that the restart policy leaves it alone."""
        return bool(self.document["Stopped"])

    @stop_requested.setter
    def stop_requested(self, requested: bool) -> None:
        self.document["Stopped"] = requested

    @property
    def restart_count(self) -> int:
        return int(self.document["RestartCount"])

    @restart_count.setter
    def restart_count(self, count: int) -> None:
        self.document["RestartCount"] = count

    @property
    def last_finished(self) -> str | None:
        """When the main process last ended."""
        return self.document.get("LastFinished")

    @last_finished.setter
    def last_finished(self, moment: str) -> None:
        self.document["LastFinished"] = moment
