"""Creates an image with one layer from a tar of a file tree."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import now
from dockerlab.engine.images.base_image import architecture
from dockerlab.engine.images.images import canonical_json
from dockerlab.engine.storage.compression import decompressed_blocks

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images
    from dockerlab.engine.images.references import Reference

__all__ = ["import_tar"]


def import_tar(
    images: Images, file: IO[bytes], config: dict[str, Any], message: str, reference: Reference | None
) -> Image:
    """Store the tar as a layer, and register the image. Raises LayerFault, Fault."""
    created = now()
    with images.hold_layers() as held:
        layer = images.layers.add(decompressed_blocks(file), held)
        document = {
            "architecture": architecture(),
            "comment": message,
            "config": config,
            "created": created,
            "history": [{"created": created, "comment": message}],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        }
        image = images.register(canonical_json(document), tags=[str(reference)] if reference is not None else [])
    images.publish_event("import", image, str(reference) if reference else image.id)
    return image
