"""How an image is told: in the list, in inspect, and in its history. Every field in Docker's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import NEVER, nanoseconds

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["history", "inspect", "shared", "summary"]

SECOND = 10**9
Version = tuple[int, ...]
Record = dict[str, Any]
CONFIG: Record = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}
#: From 1.50 on an image's configuration has no fields that only a container uses.
CONTAINER_ONLY = {
    "Hostname",
    "Domainname",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "Tty",
    "OpenStdin",
    "StdinOnce",
    "Image",
}


def summary(image: Image, version: Version, containers: int, shared_size: int = -1) -> Record:
    """Make one item of the image list."""
    made = {
        "Containers": containers if version >= (1, 51) else -1,
        "Created": nanoseconds(image.created) // SECOND,
        "Id": image.id,
        "Labels": image.config.get("Labels"),
        "ParentId": image.parent,
        "RepoDigests": image.digests or ([] if version >= (1, 43) else None),
        "RepoTags": image.tags or ([] if version >= (1, 43) else ["<none>:<none>"]),
        "SharedSize": shared_size,
        "Size": image.size,
    }
    if version < (1, 44):
        made["VirtualSize"] = image.size
    return made


def shared(image: Image, images: Images) -> int:
    """Add up the sizes of the layers that another image has, too."""
    others = {layer for other in list(images.all.values()) if other is not image for layer in other.layers}
    return sum(size for layer, size in zip(image.layers, image.sizes, strict=True) if layer in others)


def inspect(image: Image, version: Version, directory: str) -> Record:
    """Make the whole document of an image."""
    config = {**CONFIG, **image.config}
    if version >= (1, 50):
        config = {key: config[key] for key in sorted(config) if key not in CONTAINER_ONLY}
    made: Record = {
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": image.parent,
        "Comment": _comment(image),
        "Created": image.created,
    }
    if version < (1, 45):
        made |= {
            "Container": image.document.get("container") or "",
            "ContainerConfig": {**CONFIG, **(image.document.get("container_config") or {})},
        }
    made |= {
        "DockerVersion": image.document.get("docker_version") or "",
        "Author": image.document.get("author") or "",
        "Architecture": image.architecture,
    }
    if image.document.get("variant"):
        made["Variant"] = image.document["variant"]
    made |= {"Os": image.document.get("os") or "linux", "Size": image.size}
    if version < (1, 44):
        made["VirtualSize"] = image.size
    return made | {
        "GraphDriver": {"Data": {"RootDir": directory}, "Name": "copy"},
        "RootFS": {"Type": "layers", "Layers": image.layers} if image.layers else {"Type": "layers"},
        "Metadata": {"LastTagTime": image.tagged},
        "Config": config,
    }


def _comment(image: Image) -> str:
    """The comment of an image is that of its last step."""
    return str(image.history[-1].get("comment") or "") if image.history else ""


def history(image: Image, images: Images) -> list[Record]:
    """Tell how an image was made, the last step first; a step has an id if an image that ends with it is here."""
    sizes = iter(image.sizes)
    names, parent = {}, image
    for number in range(len(image.history) - 1, -1, -1):
        names[number] = parent
        if not parent.parent or parent.parent not in images.all:
            break
        parent = images.all[parent.parent]
    steps = []
    for number, step in enumerate(image.history):
        named = names.get(number)
        steps.append(
            {
                "Comment": step.get("comment", ""),
                "Created": nanoseconds(step.get("created") or NEVER) // SECOND,
                "CreatedBy": step.get("created_by", ""),
                "Id": named.id if named else "<missing>",
                "Size": 0 if step.get("empty_layer") else next(sizes, 0),
                "Tags": (named.tags or None) if named else None,
            }
        )
    return steps[::-1]
