"""Removes images and names of images, as DELETE /images and POST /images/prune do."""

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

SHORT_ID = 12
Removed = list[dict[str, str]]
Containers = Sequence["ContainerRecord"]


def remove(images: Images, containers: Containers, name: str, *, force: bool, keep_parents: bool) -> Removed:
    """Remove a name, and the image itself with its last name; return the response. Raises NotFound, Conflict."""
    removal = _Removal(images, containers)
    image = images.require(name)
    if image.id.removeprefix("sha256:").startswith(name.removeprefix("sha256:")):
        removal.remove_all_names(image, force)
    elif not removal.remove_one_name(image, name, force):
        return removal.removed
    removal.delete(image)
    if not keep_parents:
        removal.delete_unused_parents(image)
    return removal.removed


def prune(images: Images, containers: Containers, filters: dict[str, list[str]]) -> tuple[Removed, int]:
    """Remove unused images; return the response and the number of bytes that were freed. Raises BadParameter."""
    removal = _Removal(images, containers)
    used_ids = {container.image_id for container in containers}
    size_before = images.layers_size()
    for image in images_to_prune(images, filters, used_ids):
        for name in image.names:
            removal.untag(image, name)
        removal.delete(image)
        removal.delete_unused_parents(image)
    return removal.removed, size_before - images.layers_size()


class _Removal:
    """One request to remove images. `removed` is the body of the response."""

    def __init__(self, images: Images, containers: Containers) -> None:
        self.images = images
        self.containers = containers
        self.removed: Removed = []

    def untag(self, image: Image, name: str) -> None:
        self.images.untag(image, name)
        self.images.publish_event("untag", image, image.id)
        self.removed.append({"Untagged": name})

    def delete(self, image: Image) -> None:
        self.removed.append({"Deleted": image.id})
        self.removed += [{"Deleted": chain_id} for chain_id in self.images.remove(image)]
        self.images.publish_event("delete", image, image.id)

    def delete_unused_parents(self, image: Image) -> None:
        """Delete the parents of a deleted image, up to the first that has a name or is in use."""
        while (parent := self.images.all.get(image.parent)) is not None:
            if parent.names or self._conflict(parent, force=False):
                return
            self.delete(parent)
            image = parent

    def remove_one_name(self, image: Image, name: str, force: bool) -> bool:
        """Remove a name; return whether it was the last one, so that the image can be deleted. Raises Conflict."""
        self._check_last_name(image, name, force)
        reference = references.parse(name).with_default_tag()
        self.untag(image, str(reference))
        if image.tags or not all(digest.startswith(f"{reference.repository}@") for digest in image.digests):
            return False
        for digest in image.digests:
            self.untag(image, digest)
        # An image that is still in use stays without a name.
        return not self._conflict(image, force)

    def remove_all_names(self, image: Image, force: bool) -> None:
        """Remove all names of an image that is named by its id. Raises Conflict."""
        repositories = {name.rpartition("@" if "@" in name else ":")[0] for name in image.names}
        if len(repositories) > 1 and not force:
            raise Conflict(_message(image, "must be forced", "image is referenced in multiple repositories"))
        if conflict := self._conflict(image, force):
            raise Conflict(conflict)
        for name in image.names:
            self.untag(image, name)

    def _check_last_name(self, image: Image, name: str, force: bool) -> None:
        users = [container for container in self.containers if container.image_id == image.id]
        if len(image.tags) <= 1 and users and not force:
            raise Conflict(
                f'conflict: unable to remove repository reference "{name}" (must force) - container '
                f"{users[0].id[:SHORT_ID]} is using its referenced image {image.short_id}"
            )

    def _conflict(self, image: Image, force: bool) -> str:
        """Return Docker's message about what prevents the deletion of an image; empty if nothing does."""
        if self.images.children(image):
            return _message(image, "cannot be forced", "image has dependent child images")
        if container_id := self._user(image, is_running=True):
            return _message(image, "cannot be forced", f"image is being used by running container {container_id}")
        if not force and (container_id := self._user(image, is_running=False)):
            return _message(image, "must be forced", f"image is being used by stopped container {container_id}")
        return ""

    def _user(self, image: Image, is_running: bool) -> str:
        """Return the short id of the first container that uses an image; empty if there is none."""
        for container in self.containers:
            if container.image_id == image.id and container.state["Running"] is is_running:
                return container.id[:SHORT_ID]
        return ""


def _message(image: Image, condition: str, reason: str) -> str:
    return f"conflict: unable to delete {image.short_id} ({condition}) - {reason}"
