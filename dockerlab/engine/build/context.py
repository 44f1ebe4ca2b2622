"""A build's context: the files that a client sent, in a temporary directory for as long as the build runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from dockerlab.engine.build.dockerignore import IgnoreRules
from dockerlab.engine.common.tree import OpenTree
from dockerlab.engine.faults import Fault
from dockerlab.engine.storage import rootfs, unpack
from dockerlab.engine.storage.compression import decompressed

__all__ = ["MAX_DOCKERFILE_BYTES", "Context"]

MAX_DOCKERFILE_BYTES = 1 << 20


class Context:
    """The files of a build. Close it in any case, even if unpacking fails."""

    def __init__(self, parent: Path, only_dockerfile: str = "") -> None:
        """Create an empty context in a new directory below `parent`, or hold only the text of a Dockerfile."""
        self.only_dockerfile = only_dockerfile
        self.root = Path(tempfile.mkdtemp(prefix="build-", dir=parent))
        self.ignore_rules = IgnoreRules("")

    def unpack(self, archive: IO[bytes]) -> None:
        """Unpack an archive into the context. Raises Fault."""
        try:
            with OpenTree(self.root) as tree:
                unpack.extract(decompressed(archive), tree)
        except (Fault, OSError, EOFError) as error:
            raise Fault(f"Error processing tar file: {error}") from None
        self.ignore_rules = IgnoreRules(self._read(".dockerignore") or "")

    def read_dockerfile(self, name: str) -> str:
        """Return the text of the Dockerfile. Raises Fault."""
        if self.only_dockerfile:
            return self.only_dockerfile
        text = self._read(name)
        if text is None:
            raise Fault(f"Cannot locate specified Dockerfile: {name}")
        return text

    def _read(self, name: str) -> str | None:
        """Return the text of a regular file of the context; links are followed within the context."""
        try:
            with OpenTree(self.root) as tree:
                return tree.read(name, MAX_DOCKERFILE_BYTES).decode("utf-8", "replace")
        except OSError:
            return None

    def close(self) -> None:
        rootfs.remove(self.root)
