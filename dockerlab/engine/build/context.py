"""What a build is made from: the files that a client sent, in a directory of their own while the build lasts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from dockerlab.engine.build.dockerignore import Ignored
from dockerlab.engine.common.paths import inside
from dockerlab.engine.containers.copy_files import decompressed
from dockerlab.engine.faults import Fault
from dockerlab.engine.storage import rootfs, unpack

__all__ = ["Context"]

MOST_BYTES = 1 << 20  #: of a Dockerfile


class Context:
    """The context of one build."""

    def __init__(self, beside: Path, archive: IO[bytes] | None, lone: str = "") -> None:
        """Unpack an archive into a new directory beside the engine's other ones, or have a Dockerfile alone.

        Raises Fault.
        """
        self.lone = lone
        self.root = Path(tempfile.mkdtemp(prefix="build-", dir=beside))
        try:
            if archive is not None:
                unpack.apply(decompressed(archive), self.root, whiteouts=False)
        except (Fault, OSError, EOFError) as error:
            self.close()
            raise Fault(f"Error processing tar file: {error}") from None
        listed = self.root / ".dockerignore"
        self.ignored = Ignored(listed.read_text("utf-8", "replace") if listed.is_file() else "")

    def dockerfile(self, name: str) -> str:
        """Give the text of the Dockerfile. Raises Fault."""
        if self.lone:
            return self.lone
        place = Path(inside(str(self.root), name))
        if not place.is_file():
            raise Fault(f"Cannot locate specified Dockerfile: {name}")
        return place.read_bytes()[:MOST_BYTES].decode("utf-8", "replace")

    def close(self) -> None:
        """Remove the directory."""
        rootfs.remove(self.root)
