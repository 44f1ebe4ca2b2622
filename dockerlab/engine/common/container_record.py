"""A container's record: the document that `container.json` holds, with a name for each part.

Networks, storage, images and events take the record instead of the container. They need what a container is, not the
state machine around its process.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.digests import is_digest, is_identity
from dockerlab.engine.common.go_types import WrongType, decode
from dockerlab.engine.common.timestamps import nanoseconds

__all__ = ["FILE", "NAME", "ContainerRecord", "Document", "read"]

FILE = "container.json"
#: The names that a container or a volume can have.
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
Document = dict[str, Any]
#: The largest number that a client can read.
MAX_NUMBER = (1 << 63) - 1
#: The parts of a record -> what each must be. The records of old engines lack those that may be None.
PARTS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("Id", "Name", "Created", "Path", "Image"), (str,)),
    **dict.fromkeys(("Config", "HostConfig", "State"), (dict,)),
    "Args": (list,),
    "RestartCount": (int,),
    "Stopped": (bool,),
    "Layers": (list, type(None)),
    "Endpoints": (dict, type(None)),
    "MountPoints": (list, type(None)),
    "LastFinished": (str, type(None)),
}
STATE: dict[str, type] = {
    **dict.fromkeys(("Status", "Error", "StartedAt", "FinishedAt"), str),
    **dict.fromkeys(("Running", "Paused", "Restarting", "OOMKilled", "Dead"), bool),
    **dict.fromkeys(("Pid", "ExitCode"), int),
}
MOUNT_POINT: dict[str, type] = {
    **dict.fromkeys(("Type", "Source", "Destination", "Mode", "Propagation"), str),
    "RW": bool,
}
LIVE: dict[str, type] = {
    **dict.fromkeys(("NetworkID", "EndpointID", "Gateway", "IPAddress", "MacAddress"), str),
    "IPPrefixLen": int,
}


def read(directory: Path) -> Document | None:
    """Return the record in a container's directory, or None without one. Raises ValueError with the reason.

    Nobody checks a record again, so everything that the engine relies on is checked here.
    """
    document = json_files.load(directory / FILE)
    if document is None:
        return None
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    document = {**dict.fromkeys(PARTS), **document}
    for name, types in PARTS.items():
        if not isinstance(document[name], types) or (bool not in types and isinstance(document[name], bool)):
            raise ValueError(f"its field {name!r} is missing or has a wrong type")
    if not is_identity(document["Id"]) or document["Id"] != directory.name:
        raise ValueError("its id is not the name of its directory")
    if not NAME.fullmatch(document["Name"]):
        raise ValueError("its name is not one that a container can have")
    if (document["Image"] and not is_digest(document["Image"])) or not all(map(is_digest, document["Layers"] or [])):
        raise ValueError("its image or one of its layers is not a digest")
    if not all(isinstance(word, str) for word in document["Args"]):
        raise ValueError("one of its arguments is not a text")
    for moment in (document["Created"], document.get("LastFinished") or ""):
        nanoseconds(moment)
    _check_settings(document)
    _check_state(document["State"])
    return document


def _check_settings(document: Document) -> None:
    try:
        for name in ("Config", "HostConfig"):  # a list of words may also be one text, as in a request
            document[name] = {**document[name], **decode(f"container.{name}", document[name])}
        decode("map[string]network.EndpointSettings", document.get("Endpoints"))
    except WrongType as error:
        raise ValueError(str(error)) from None
    if not isinstance(document["HostConfig"].get("NetworkMode"), str):
        raise ValueError("its network mode is missing")
    for point in document.get("MountPoints") or []:
        _check_fields("a mount point", point, MOUNT_POINT)
        _check_fields("a mount point", {"Driver": "", **point}, {"Driver": str})  # only volumes have a driver
        if not point["Destination"].startswith("/"):
            raise ValueError("a mount point is not an absolute path")
        if point["Type"] == "volume" and not (isinstance(point.get("Name"), str) and NAME.fullmatch(point["Name"])):
            raise ValueError("a mount point names no volume")
        if point["Type"] == "tmpfs":
            decode("mount.TmpfsOptions", point.get("Tmpfs"))
    for endpoint in (document.get("Endpoints") or {}).values():
        if endpoint and endpoint.get("Live") is not None:
            _check_fields("an endpoint", endpoint["Live"], LIVE)
            if not is_identity(endpoint["Live"]["NetworkID"]) or not is_identity(endpoint["Live"]["EndpointID"]):
                raise ValueError("an endpoint has no id")


def _check_state(state: Document) -> None:
    _check_fields("the state", state, STATE)
    nanoseconds(state["StartedAt"])
    nanoseconds(state["FinishedAt"])
    health = state.get("Health")
    if health is not None:
        _check_fields("the health", health, {"Status": str, "FailingStreak": int, "Log": list})


def _check_fields(where: str, value: Any, types: dict[str, type]) -> None:
    for name, kind in types.items():
        field = value.get(name) if isinstance(value, dict) else None
        is_no_number = isinstance(field, bool) or (isinstance(field, int) and abs(field) > MAX_NUMBER)
        if not isinstance(field, kind) or (kind is int and is_no_number):
            raise ValueError(f"{where} has no {name!r}, or one of a wrong type")


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
