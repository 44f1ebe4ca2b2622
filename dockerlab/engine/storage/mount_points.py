"""What a container has mounted: Binds, Mounts, Volumes and VolumesFrom become one list, as inspect tells it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.paths import resolve_in_root
from dockerlab.engine.faults import BadParameter, Fault
from dockerlab.engine.processes.linux import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from dockerlab.engine.storage import rootfs
from dockerlab.engine.storage.volumes import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.storage.volumes import Volumes

__all__ = ["fill", "made", "shown", "tmpfs", "volumes_of"]

PROPAGATIONS = ("rprivate", "private", "rshared", "shared", "rslave", "slave")
MODES = {"ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent", *PROPAGATIONS}
FLAGS = {"ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}
PASSED_OVER = {"rw", "suid", "dev", "exec", "async", "atime", "noatime", "relatime", "defaults"}
DATA = re.compile(r"(size|mode|uid|gid|nr_inodes|nr_blocks)=[\w%]+")
Record = dict[str, Any]


def made(config: Record, host: Record, volumes: Volumes, find: Callable[[str], ContainerRecord]) -> list[Record]:
    """Give the list for a container that is being created; volumes that are not there are made.

    Raises BadParameter.
    """
    points: dict[str, Record] = {}
    for word in host.get("VolumesFrom") or []:
        name, _, mode = word.partition(":")
        for point in find(name).mount_points:
            points[point["Destination"]] = {**point, **({"RW": False} if mode == "ro" else {})}
    explicit: set[str] = set()
    for word in host.get("Binds") or []:
        _add(points, explicit, _bind(word, volumes))
    for entry in host.get("Mounts") or []:
        _add(points, explicit, _mount(entry, volumes))
    for word in config.get("Volumes") or {}:
        target = _target(f"/{word}", word)  # a relative one is below the root
        if target not in points and target not in _tmpfs_targets(host):
            points[target] = _volume(volumes, "", target, "", True)
    return sorted(points.values(), key=lambda point: point["Destination"])


def _add(points: dict[str, Record], explicit: set[str], point: Record) -> None:
    if point["Destination"] in explicit:
        raise BadParameter(f"Duplicate mount point: {point['Destination']}")
    explicit.add(point["Destination"])
    points[point["Destination"]] = point


def _tmpfs_targets(host: Record) -> set[str]:
    return {target.rstrip("/") or "/" for target in host.get("Tmpfs") or {}}


def _bind(word: str, volumes: Volumes) -> Record:
    parts = word.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts):  # noqa: PLR2004  (source, target, mode)
        raise BadParameter(f"invalid volume specification: '{word}'")
    source, target, mode = ("", parts[0], "") if len(parts) == 1 else (parts[0], parts[1], "".join(parts[2:]))
    if set(filter(None, mode.split(","))) - MODES:
        raise BadParameter(f"invalid mode: {mode}")
    target = _target(target, word, "bind" if source.startswith("/") else "volume")
    writable = "ro" not in mode.split(",")
    if not source.startswith("/"):
        point = _volume(volumes, source, target, mode or "z", writable)
        return {**point, "NoCopy": True} if "nocopy" in mode else point
    try:
        Path(source).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        pass  # a file
    except OSError as error:
        raise Fault(f"error while creating mount source path '{source}': {error.strerror}") from None
    return _host_path(
        source, target, mode, writable, next((part for part in mode.split(",") if part in PROPAGATIONS), "")
    )


def _target(target: str, word: str, kind: str = "volume") -> str:
    if not target.startswith("/"):
        raise Fault(  # 500 on Docker
            f"invalid volume specification: '{word}': invalid mount config for type \"{kind}\": invalid mount path: "
            f"'{target}' mount path must be absolute"
        )
    plain = "/" + "/".join(part for part in target.split("/") if part not in ("", "."))
    if plain == "/":
        raise BadParameter(f"invalid volume specification: '{word}': invalid specification: destination can't be '/'")
    return plain


def _host_path(source: str, target: str, mode: str, writable: bool, propagation: str) -> Record:
    return {
        "Type": "bind",
        "Source": source,
        "Destination": target,
        "Mode": mode,
        "RW": writable,
        "Propagation": propagation or "rprivate",
    }


def _volume(volumes: Volumes, name: str, target: str, mode: str, writable: bool, **more: Any) -> Record:
    if name and not NAME.fullmatch(name):
        volumes.create(name, "", {}, None)  # raises, in Docker's words
    record = volumes.create(name, more.get("driver", ""), more.get("options") or {}, more.get("labels"))
    return {
        "Type": "volume",
        "Name": record["Name"],
        "Source": record["Mountpoint"],
        "Destination": target,
        "Driver": "local",
        "Mode": mode,
        "RW": writable,
        "Propagation": "",
    }


def _mount(entry: Record, volumes: Volumes) -> Record:
    """Read one of `Mounts`."""
    kind, source, target = entry.get("Type") or "", entry.get("Source") or "", entry.get("Target") or ""
    begin = f'invalid mount config for type "{kind}": '
    if not target:
        raise BadParameter(f"{begin}field Target must not be empty")
    if not target.startswith("/"):
        raise BadParameter(f"{begin}invalid mount path: '{target}' mount path must be absolute")
    writable = not entry.get("ReadOnly")
    plain = _target(target, target)
    if kind == "bind":
        if not source:
            raise BadParameter(f"{begin}field Source must not be empty")
        options = entry.get("BindOptions") or {}
        if options.get("CreateMountpoint"):
            Path(source).mkdir(parents=True, exist_ok=True)
        if not Path(source).exists():
            raise BadParameter(f"{begin}bind source path does not exist: {source}")
        return _host_path(source, plain, "", writable, options.get("Propagation") or "")
    if kind == "volume":
        options = entry.get("VolumeOptions") or {}
        driver = options.get("DriverConfig") or {}
        more = {"labels": options.get("Labels"), "driver": driver.get("Name") or "", "options": driver.get("Options")}
        point = _volume(volumes, source, plain, "z", writable, **more)
        extra = {"NoCopy": True} if options.get("NoCopy") else {}
        return {**point, **extra}
    if kind == "tmpfs":
        if source:
            raise BadParameter(f"{begin}field Source must not be specified")
        shape = {"Type": "tmpfs", "Source": "", "Destination": plain, "Mode": "", "RW": writable, "Propagation": ""}
        return {**shape, "Tmpfs": entry.get("TmpfsOptions") or {}}
    raise BadParameter(f"{begin}mount type unknown")


def shown(points: list[Record]) -> list[Record]:
    """Give the list as inspect tells it, without what only we need."""
    return [{key: value for key, value in point.items() if key not in ("NoCopy", "Tmpfs")} for point in points]


def volumes_of(points: list[Record]) -> list[str]:
    """Name the volumes in a list."""
    return [point["Name"] for point in points if point["Type"] == "volume"]


def fill(root: Path, points: list[Record]) -> None:
    """Copy what an image has at a volume's place into the volume, if it is empty."""
    for point in points:
        target, source = Path(point["Source"] or "/"), Path(resolve_in_root(str(root), point["Destination"]))
        if point["Type"] != "volume" or point.get("NoCopy") or not source.is_dir() or any(target.iterdir()):
            continue
        rootfs.copy_tree(source, target)


def tmpfs(host: Record, points: list[Record]) -> list[Record]:
    """Give the tmpfs mounts for the shim, those of `Tmpfs` and those of `Mounts`. Raises BadParameter."""
    found = []
    for target, words in (host.get("Tmpfs") or {}).items():
        if not target.startswith("/"):
            raise BadParameter(f"invalid mount path: '{target}' mount path must be absolute")
        found.append(_tmpfs(_target(target, target), words, MS_NOSUID | MS_NODEV | MS_NOEXEC))
    for point in points:
        if point["Type"] == "tmpfs":
            options = point["Tmpfs"]
            words = [f"size={options['SizeBytes']}"] if options.get("SizeBytes") else []
            words += [f"mode={options['Mode']:o}"] if options.get("Mode") else []
            words += [] if point["RW"] else ["ro"]
            found.append(_tmpfs(point["Destination"], ",".join(words), MS_NOSUID | MS_NODEV | MS_NOEXEC))
    return found


def _tmpfs(target: str, words: str, flags: int) -> Record:
    data = []
    for word in filter(None, words.split(",")):
        if word in FLAGS:
            flags |= FLAGS[word]
        elif f"no{word}" in FLAGS:
            flags &= ~FLAGS[f"no{word}"]
        elif DATA.fullmatch(word):
            data.append(word)
        elif word not in PASSED_OVER:
            raise BadParameter(f'invalid tmpfs option ["{word}"]'.replace("'", '"'))
    return {
        "kind": "tmpfs",
        "source": "tmpfs",
        "target": target,
        "flags": flags,
        "data": ",".join(data),
        "readonly": False,
    }
