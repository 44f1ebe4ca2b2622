"""Removes images and names of images, as DELETE /images does: what is in the way, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dockerlab.engine.faults import Conflict
from dockerlab.engine.images import references
from dockerlab.engine.images.filters import images_to_prune

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.images.images import Image, Images

__all__ = ["prune", "remove"]

SHORT = 12
Told = list[dict[str, str]]
Containers = Sequence["ContainerRecord"]


def remove(images: Images, containers: Containers, name: str, *, force: bool, keep_parents: bool) -> Told:
    """Remove a name, and the image with its last one. Raises NotFound, Conflict."""
    image = images.require(name)
    told: Told = []
    by_id = image.id.removeprefix("sha256:").startswith(name.removeprefix("sha256:"))
    if not by_id:
        _check_last_name(containers, image, name, force)
        reference = references.parse(name).with_default_tag()
        _untag(images, image, str(reference), told)
        if image.tags or [one for one in image.digests if not one.startswith(f"{reference.repository}@")]:
            return told
        for digest in image.digests:
            _untag(images, image, digest, told)
        if _conflict(images, containers, image, force):
            return told  # its last name is gone, and what still needs it keeps it
    else:
        repositories = {one.rpartition("@" if "@" in one else ":")[0] for one in image.names}
        if len(repositories) > 1 and not force:
            raise Conflict(_words(image, "must be forced", "image is referenced in multiple repositories"))
        if words := _conflict(images, containers, image, force):
            raise Conflict(words)
        for one in image.names:
            _untag(images, image, one, told)
    _delete(images, image, told)
    if not keep_parents:
        _delete_parents(images, containers, image.parent, told)
    return told


def _delete_parents(images: Images, containers: Containers, identity: str, told: Told) -> None:
    """Remove the images in between that nothing needs any more."""
    while (parent := images.all.get(identity)) is not None:
        if parent.names or _conflict(images, containers, parent, False):
            return
        identity = parent.parent
        _delete(images, parent, told)


def _untag(images: Images, image: Image, name: str, told: Told) -> None:
    images.untag(image, name)
    images.record_event("untag", image, image.id)
    told.append({"Untagged": name})


def _delete(images: Images, image: Image, told: Told) -> None:
    told.append({"Deleted": image.id})
    told += [{"Deleted": chain} for chain in images.remove(image)]
    images.record_event("delete", image, image.id)


def _users(containers: Containers, image: Image, running: bool) -> Containers:
    return [one for one in containers if one.image_id == image.id and one.state["Running"] is running]


def _check_last_name(containers: Containers, image: Image, name: str, force: bool) -> None:
    users = [one for one in containers if one.image_id == image.id]
    if len(image.tags) <= 1 and users and not force:
        raise Conflict(
            f'conflict: unable to remove repository reference "{name}" (must force) - container '
            f"{users[0].id[:SHORT]} is using its referenced image {image.hex[:SHORT]}"
        )


def _words(image: Image, how: str, why: str) -> str:
    return f"conflict: unable to delete {image.hex[:SHORT]} ({how}) - {why}"


def _conflict(images: Images, containers: Containers, image: Image, force: bool) -> str:
    """Say what is in the way of removing an image, or nothing."""
    if images.children(image):
        return _words(image, "cannot be forced", "image has dependent child images")
    if users := _users(containers, image, True):
        return _words(image, "cannot be forced", f"image is being used by running container {users[0].id[:SHORT]}")
    if not force and (users := _users(containers, image, False)):
        return _words(image, "must be forced", f"image is being used by stopped container {users[0].id[:SHORT]}")
    return ""


def prune(images: Images, containers: Containers, filters: dict[str, list[str]]) -> tuple[Told, int]:
    """Remove what nobody uses; give what went, and the bytes that came free. Raises BadParameter."""
    used = {one.image_id for one in containers}
    told: Told = []
    before = sum(images.layers.get(layer).size for layer in images.all_layers())
    for image in images_to_prune(images, filters, used):
        for name in image.names:
            _untag(images, image, name, told)
        _delete(images, image, told)
        _delete_parents(images, containers, image.parent, told)
    freed = before - sum(images.layers.get(layer).size for layer in images.all_layers())
    return told, freed
