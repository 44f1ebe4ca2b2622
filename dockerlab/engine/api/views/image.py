"""Images as JSON: the item of a list, inspect, and history. Every field stands in Docker's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import NEVER, nanoseconds

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["history", "inspect", "shared_size", "summary"]

SECOND = 10**9
Version = tuple[int, ...]
Record = dict[str, Any]
EMPTY_CONFIG: Record = {
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
#: Fields that only a container uses. Since version 1.50 they are not in an image's configuration.
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
    """Return one item of the list of images."""
    document = {
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
        document["VirtualSize"] = image.size
    return document


def shared_size(image: Image, images: Images) -> int:
    """Return the bytes of the layers that another image has, too."""
    others = {layer for other in list(images.all.values()) if other is not image for layer in other.layers}
    return sum(size for layer, size in zip(image.layers, image.sizes, strict=True) if layer in others)


def inspect(image: Image, version: Version, directory: str) -> Record:
    """Return the whole document of an image."""
    config = {**EMPTY_CONFIG, **image.config}
    if version >= (1, 50):
        config = {key: config[key] for key in sorted(config) if key not in CONTAINER_ONLY}
    document: Record = {
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": image.parent,
        "Comment": _comment(image),
        "Created": image.created,
    }
    if version < (1, 45):
        document |= {
            "Container": image.document.get("container") or "",
            "ContainerConfig": {**EMPTY_CONFIG, **(image.document.get("container_config") or {})},
        }
    document |= {
        "DockerVersion": image.document.get("docker_version") or "",
        "Author": image.document.get("author") or "",
        "Architecture": image.architecture,
    }
    if image.document.get("variant"):
        document["Variant"] = image.document["variant"]
    document |= {"Os": image.document.get("os") or "linux", "Size": image.size}
    if version < (1, 44):
        document["VirtualSize"] = image.size
    return document | {
        "GraphDriver": {"Data": {"RootDir": directory}, "Name": "copy"},
        "RootFS": {"Type": "layers", "Layers": image.layers} if image.layers else {"Type": "layers"},
        "Metadata": {"LastTagTime": image.tagged},
        "Config": config,
    }


def _comment(image: Image) -> str:
    """Return the comment of an image, which is that of its last step."""
    return str(image.history[-1].get("comment") or "") if image.history else ""


def history(image: Image, images: Images) -> list[Record]:
    """Return the steps that made an image, the last one first. A step has an id if the image it made is here."""
    sizes = iter(image.sizes)
    steps = []
    images_by_step = _images_by_step(image, images)
    for number, step in enumerate(image.history):
        step_image = images_by_step.get(number)
        steps.append(
            {
                "Comment": step.get("comment", ""),
                "Created": nanoseconds(step.get("created") or NEVER) // SECOND,
                "CreatedBy": step.get("created_by", ""),
                "Id": step_image.id if step_image else "<missing>",
                "Size": 0 if step.get("empty_layer") else next(sizes, 0),
                "Tags": (step_image.tags or None) if step_image else None,
            }
        )
    return steps[::-1]


def _images_by_step(image: Image, images: Images) -> dict[int, Image]:
    """Return the image itself and its parents, by the number of the step that made each."""
    by_step = {}
    for number in range(len(image.history) - 1, -1, -1):
        by_step[number] = image
        if not image.parent or image.parent not in images.all:
            break
        image = images.all[image.parent]
    return by_step
