"""Mount points: Binds, Mounts, Volumes and VolumesFrom of a new container become one list, as inspect shows it."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.tree import DIRECTORY, OpenTree, reopen
from dockerlab.engine.faults import BadParameter, Fault, NotServed
from dockerlab.engine.processes.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from dockerlab.engine.storage.tree_copy import copy_tree
from dockerlab.engine.storage.volumes import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.storage.volumes import Volumes

__all__ = ["INTERNAL_FIELDS", "create_mount_points", "fill_volumes", "tmpfs_mounts"]

PROPAGATIONS = ("rprivate", "private", "rshared", "shared", "rslave", "slave")
MODES = {"ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent", *PROPAGATIONS}
#: Fields of a mount point that only this module reads; inspect does not show them.
INTERNAL_FIELDS = ("NoCopy", "Tmpfs")

TMPFS_DEFAULT_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC
#: Options of a tmpfs that set a flag of mount(2). Without a `no` in front, such as `exec`, they clear it.
TMPFS_FLAGS = {"ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}
TMPFS_IGNORED = {"rw", "suid", "dev", "exec", "async", "atime", "noatime", "relatime", "defaults"}
TMPFS_DATA = re.compile(r"(size|mode|uid|gid|nr_inodes|nr_blocks)=[\w%]+")
Record = dict[str, Any]


def create_mount_points(
    config: Record, host: Record, volumes: Volumes, find: Callable[[str], ContainerRecord]
) -> list[Record]:
    """Return the mount points of a container that is being created, and create the volumes that don't exist.

    `find` finds the containers of VolumesFrom. Raises BadParameter, Fault.
    """
    points: dict[str, Record] = {}
    for reference in host.get("VolumesFrom") or []:
        name, _, mode = reference.partition(":")
        for point in find(name).mount_points:
            points[point["Destination"]] = {**point, **({"RW": False} if mode == "ro" else {})}
    explicit: dict[str, Record] = {}
    for text in host.get("Binds") or []:
        _add(explicit, _bind(text, volumes))
    for entry in host.get("Mounts") or []:
        _add(explicit, _mount(entry, volumes))
    points |= explicit
    tmpfs_targets = {target.rstrip("/") or "/" for target in host.get("Tmpfs") or {}}
    for text in config.get("Volumes") or {}:
        target = _target(f"/{text}", text)  # a relative path starts at the root
        if target not in points and target not in tmpfs_targets:
            points[target] = _volume(_create_volume(volumes, "", {}), target, "", True)
    return sorted(points.values(), key=lambda point: point["Destination"])


def _add(points: dict[str, Record], point: Record) -> None:
    if point["Destination"] in points:
        raise BadParameter(f"Duplicate mount point: {point['Destination']}")
    points[point["Destination"]] = point


def _bind(text: str, volumes: Volumes) -> Record:
    """Read an entry of `Binds`: `SOURCE:TARGET:MODE`, where SOURCE is a path or the name of a volume."""
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts):  # noqa: PLR2004  (source, target, mode)
        raise BadParameter(f"invalid volume specification: '{text}'")
    source, target, mode = ("", parts[0], "") if len(parts) == 1 else (parts[0], parts[1], "".join(parts[2:]))
    modes = [word for word in mode.split(",") if word]
    if set(modes) - MODES:
        raise BadParameter(f"invalid mode: {mode}")
    is_path = source.startswith("/")
    target = _target(target, text, "bind" if is_path else "volume")
    writable = "ro" not in modes
    if not is_path:
        point = _volume(_create_volume(volumes, source, {}), target, mode or "z", writable)
        return {**point, "NoCopy": True} if "nocopy" in modes else point
    try:
        Path(source).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        pass  # a file can be mounted, too
    except OSError as error:
        raise Fault(f"error while creating mount source path '{source}': {error.strerror}") from None
    except ValueError:
        raise Fault(f"error while creating mount source path '{source}': invalid argument") from None
    propagation = next((word for word in modes if word in PROPAGATIONS), "")
    return _host_path(source, target, mode, writable, propagation)


def _mount(entry: Record, volumes: Volumes) -> Record:
    """Read an entry of `Mounts`."""
    kind, source, target = entry.get("Type") or "", entry.get("Source") or "", entry.get("Target") or ""
    prefix = f'invalid mount config for type "{kind}": '
    if not target:
        raise BadParameter(f"{prefix}field Target must not be empty")
    if not target.startswith("/"):
        raise BadParameter(f"{prefix}invalid mount path: '{target}' mount path must be absolute")
    writable = not entry.get("ReadOnly")
    target = _target(target, target)
    if kind == "bind":
        if not source:
            raise BadParameter(f"{prefix}field Source must not be empty")
        if not source.startswith("/"):
            raise BadParameter(f"{prefix}invalid mount path: '{source}' mount path must be absolute")
        options = entry.get("BindOptions") or {}
        if options.get("CreateMountpoint"):
            Path(source).mkdir(parents=True, exist_ok=True)
        if not Path(source).exists():
            raise BadParameter(f"{prefix}bind source path does not exist: {source}")
        return _host_path(source, target, "", writable, options.get("Propagation") or "")
    if kind == "volume":
        options = entry.get("VolumeOptions") or {}
        if options.get("Subpath"):
            raise NotServed("the practice engine mounts whole volumes only: leave out VolumeOptions.Subpath")
        point = _volume(_create_volume(volumes, source, options), target, "z", writable)
        return {**point, "NoCopy": True} if options.get("NoCopy") else point
    if kind == "tmpfs":
        if source:
            raise BadParameter(f"{prefix}field Source must not be specified")
        point = {"Type": "tmpfs", "Source": "", "Destination": target, "Mode": "", "RW": writable, "Propagation": ""}
        return {**point, "Tmpfs": entry.get("TmpfsOptions") or {}}
    raise BadParameter(f"{prefix}mount type unknown")


def _target(target: str, text: str, kind: str = "volume") -> str:
    """Return a path inside the container in its shortest form; `text` is the whole entry, for the messages."""
    if not target.startswith("/"):
        raise Fault(  # not a BadParameter: Docker answers 500 here
            f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": invalid mount path: "
            f"'{target}' mount path must be absolute"
        )
    normal = posixpath.normpath("/" + target.lstrip("/"))
    if normal == "/":
        raise BadParameter(f"invalid volume specification: '{text}': invalid specification: destination can't be '/'")
    return normal


def _host_path(source: str, target: str, mode: str, writable: bool, propagation: str) -> Record:
    return {
        "Type": "bind",
        "Source": source,
        "Destination": target,
        "Mode": mode,
        "RW": writable,
        "Propagation": propagation or "rprivate",
    }


def _create_volume(volumes: Volumes, name: str, options: Record) -> Record:
    """Create a volume with the given VolumeOptions, or return the existing one with this name."""
    if name and not NAME.fullmatch(name):
        volumes.create(name, "", {}, None)  # raises BadParameter in Docker's words, before it looks at the options
    driver = options.get("DriverConfig") or {}
    return volumes.create(name, driver.get("Name") or "", driver.get("Options") or {}, options.get("Labels"))


def _volume(volume: Record, target: str, mode: str, writable: bool) -> Record:
    return {
        "Type": "volume",
        "Name": volume["Name"],
        "Source": volume["Mountpoint"],
        "Destination": target,
        "Driver": "local",
        "Mode": mode,
        "RW": writable,
        "Propagation": "",
    }


def fill_volumes(root: Path, points: list[Record]) -> None:
    """Copy the image's files at a volume's mount point into the volume, if it is empty. Raise OSError."""
    volumes = [point for point in points if point["Type"] == "volume" and not point.get("NoCopy")]
    if not volumes:
        return
    with OpenTree(root) as tree:
        for point in volumes:
            _fill_volume(tree, point["Destination"], point["Source"])


def _fill_volume(tree: OpenTree, path: str, directory: str) -> None:
    try:
        place = tree.open(path)
    except OSError:
        return  # the image has nothing there
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            return
        source, target = reopen(place, os.O_RDONLY), os.open(directory, DIRECTORY)
        try:
            if not os.listdir(target):  # noqa: PTH208
                copy_tree(source, target)
        finally:
            os.close(source)
            os.close(target)
    finally:
        os.close(place)


def tmpfs_mounts(host: Record, points: list[Record]) -> list[Record]:
    """Return the tmpfs mounts for the shim, from `Tmpfs` and from `Mounts`. Raises BadParameter."""
    mounts = []
    for target, options in (host.get("Tmpfs") or {}).items():
        if not target.startswith("/"):
            raise BadParameter(f"invalid mount path: '{target}' mount path must be absolute")
        mounts.append(_tmpfs(_target(target, target), options))
    for point in points:
        if point["Type"] == "tmpfs":
            requested = point["Tmpfs"]
            words = [f"size={requested['SizeBytes']}"] if requested.get("SizeBytes") else []
            words += [f"mode={requested['Mode']:o}"] if requested.get("Mode") else []
            words += [] if point["RW"] else ["ro"]
            mounts.append(_tmpfs(point["Destination"], ",".join(words)))
    return mounts


def _tmpfs(target: str, options: str) -> Record:
    flags, data = TMPFS_DEFAULT_FLAGS, []
    for word in filter(None, options.split(",")):
        if word in TMPFS_FLAGS:
            flags |= TMPFS_FLAGS[word]
        elif f"no{word}" in TMPFS_FLAGS:
            flags &= ~TMPFS_FLAGS[f"no{word}"]
        elif TMPFS_DATA.fullmatch(word):
            data.append(word)
        elif word not in TMPFS_IGNORED:
            raise BadParameter(f'invalid tmpfs option ["{word}"]'.replace("'", '"'))
    return {
        "kind": "tmpfs",
        "source": "tmpfs",
        "target": target,
        "flags": flags,
        "data": ",".join(data),
        "readonly": False,
    }
