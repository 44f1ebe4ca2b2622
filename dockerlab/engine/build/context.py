"""A build's context: the files that a client sent, in a temporary directory for as long as the build runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from dockerlab.engine.build.dockerignore import IgnoreRules
from dockerlab.engine.common.paths import resolve_in_root
from dockerlab.engine.faults import Fault
from dockerlab.engine.storage import rootfs, unpack
from dockerlab.engine.storage.compression import decompressed

__all__ = ["MAX_DOCKERFILE_BYTES", "Context"]

MAX_DOCKERFILE_BYTES = 1 << 20


class Context:
    def __init__(self, parent: Path, archive: IO[bytes] | None, only_dockerfile: str = "") -> None:
        """Unpack an archive into a new directory below `parent`, or hold only the text of a Dockerfile.

        Raises Fault.
        """
        self.only_dockerfile = only_dockerfile
        self.root = Path(tempfile.mkdtemp(prefix="build-", dir=parent))
        try:
            if archive is not None:
                unpack.extract(decompressed(archive), self.root)
        except (Fault, OSError, EOFError) as error:
            self.close()
            raise Fault(f"Error processing tar file: {error}") from None
        ignore_file = self.root / ".dockerignore"
        self.ignore_rules = IgnoreRules(ignore_file.read_text("utf-8", "replace") if ignore_file.is_file() else "")

    def read_dockerfile(self, name: str) -> str:
        """Return the text of the Dockerfile. Raises Fault."""
        if self.only_dockerfile:
            return self.only_dockerfile
        path = Path(resolve_in_root(str(self.root), name))
        if not path.is_file():
            raise Fault(f"Cannot locate specified Dockerfile: {name}")
        return path.read_bytes()[:MAX_DOCKERFILE_BYTES].decode("utf-8", "replace")

    def close(self) -> None:
        rootfs.remove(self.root)
