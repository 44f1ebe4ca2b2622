"""Makes an image of a container: its configuration without what belongs to this container, and its changed files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.images.commit import Step, commit_step
from dockerlab.engine.images.instructions import apply_changes
from dockerlab.engine.storage import layer_diff

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.images.images import Image, Images
    from dockerlab.engine.images.references import Reference

__all__ = ["commit_container", "image_config"]

#: Settings that belong to one container and not to an image made of it.
OWN = (
    "Hostname",
    "Domainname",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "Tty",
    "OpenStdin",
    "StdinOnce",
    "Image",
)
Document = dict[str, Any]


def image_config(container: ContainerRecord, body: Document, changes: list[str]) -> Document:
    """Return the configuration of the new image: the container's, then `body`, then the Dockerfile lines in `changes`.

    Raises BadParameter.
    """
    config = {key: value for key, value in container.config.items() if key not in OWN}
    for key, value in body.items():
        if key not in config or value in (None, "", [], {}, False):
            continue
        config[key] = {**(config[key] or {}), **value} if isinstance(value, dict) else value
    return apply_changes(config, changes)


def commit_container(
    images: Images, container: ContainerRecord, config: Document, reference: Reference | None, **texts: str
) -> Image:
    """Make the image, and give it a name; if that is impossible, there is no image either. Raises OSError, Fault.

    `texts` are the author and the comment of the history.
    """
    step = Step(" ".join(container.command), **texts, container=container.id, container_config={**container.config})
    hidden = [point["Destination"] for point in container.mount_points]
    layer = layer_diff.layer_of_changes(images.trees.get(container.layers), container.root, hidden)
    image = commit_step(images, images.all.get(container.image_id), layer, config, step)
    if reference is not None:
        try:
            images.tag(image, reference)
        except OSError:
            images.remove(image)
            raise
    return image
