"""Makes and reads tars in memory, hostile ones too."""

from __future__ import annotations

import io
import tarfile


def packed(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """Make a tar of files with their content, and of whole members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            header = tarfile.TarInfo(member[0])
            header.size = len(member[1])
            tar.addfile(header, io.BytesIO(member[1]))
    return out.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Make a symbolic link, or a hard one."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def unpacked(data: bytes) -> dict[str, bytes]:
    """Read the files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}  # type: ignore[union-attr]
