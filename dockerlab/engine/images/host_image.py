"""Makes the image from this machine's own programs, for machines without a static busybox.

The programs are copied with the libraries that they link, the loader included. `httpd` and `wget` are applets of our
own, run by a copy of this interpreter with the few files that it can't start without.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from dockerlab.engine.common.elf import needs

__all__ = ["build", "possible"]

PROGRAMS = """
sh cat chmod cp cut date dd df dirname basename du echo env expr false find grep head hostname id kill ln ls
mkdir mktemp mv nice nproc od printenv printf ps pwd readlink rm rmdir sed seq sleep sort stat stty sync tail
tar tee test touch tr true tty uname uniq wc which whoami xargs yes
"""
PLACES = ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin")
USUAL = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")
APPLETS = ("httpd", "wget")
ENCODINGS = ("__init__.py", "aliases.py", "utf_8.py", "ascii.py", "latin_1.py")
PYTHON = "opt/python"
#: `$0` is the path that the applet was found at, so this works with and without a root of its own.
WRAPPER = """#!/bin/sh
root=${{0%/bin/{name}}}
exec "$root/opt/python/bin/python3" -B -E -S "$root/opt/applets/{name}.py" "$@"
"""


def possible() -> bool:
    """Tell whether this machine has what the image needs at least: a shell."""
    return _program("sh") is not None


def build(root: Path) -> list[str]:
    """Put programs, libraries and applets into a tree that has its directories; give the programs' names."""
    found = {name: place for name in PROGRAMS.split() if (place := _program(name))}
    if "sh" not in found:
        raise RuntimeError("The practice engine makes its image from this machine's programs, and there is no sh.")
    for name, place in found.items():
        _copy(place, root / "bin" / name)
    _python(root)
    _applets(root)
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    _libraries(root, files, {path: found.get(path.name) for path in files})
    return [*found, *APPLETS]


def _program(name: str) -> Path | None:
    """Find a program and follow its links, such as `sh` to `dash`."""
    for place in PLACES:
        path = Path(place, name)
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    return None


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _python(root: Path) -> None:
    """Copy the interpreter, its landmark, the text encodings, and `_socket` where that is a file of its own."""
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library, source = root / PYTHON / "lib" / version, Path(sysconfig.get_path("stdlib"))
    _copy(base, root / PYTHON / "bin/python3")
    _copy(source / "os.py", library / "os.py")
    for name in ENCODINGS:
        _copy(source / "encodings" / name, library / "encodings" / name)
    (library / "lib-dynload").mkdir(exist_ok=True)
    import _socket  # noqa: PLC0415  (only to know where it is)

    if getattr(_socket, "__file__", None):
        module = Path(_socket.__file__)
        _copy(module, library / "lib-dynload" / module.name)
    shared = sysconfig.get_config_var("INSTSONAME")
    place = Path(sysconfig.get_config_var("LIBDIR") or "/") / str(shared)
    if shared and str(shared).startswith("libpython") and ".so" in str(shared) and place.is_file():
        ours = root / PYTHON / "lib" / str(shared)
        _copy(place, ours)  # for an interpreter that looks beside itself
        (root / "lib").mkdir(exist_ok=True)
        os.link(ours, root / "lib" / str(shared))  # for one that was told another place


def _applets(root: Path) -> None:
    ours = Path(__file__).parent / "applets"
    for name in ("common", *APPLETS):
        _copy(ours / f"{name}.py", root / "opt/applets" / f"{name}.py")
    for name in APPLETS:
        wrapper = root / "bin" / name
        wrapper.write_text(WRAPPER.format(name=name))
        wrapper.chmod(0o755)


def _libraries(root: Path, files: list[Path], origins: dict[Path, Path | None]) -> None:
    """Copy what the files link, and what that links, to where a loader looks without being told."""
    usual, todo, seen = list(_usual()), list(files), set()
    while todo:
        file = todo.pop()
        wanted = needs(origins.get(file) or file)
        if wanted is None:
            continue
        if wanted.loader and wanted.loader not in seen:
            seen.add(wanted.loader)
            _copy(Path(wanted.loader).resolve(), root / wanted.loader.lstrip("/"))
        for name in wanted.libraries:
            if name in seen or (root / PYTHON / "lib" / name).exists():
                continue
            seen.add(name)
            place = next((Path(part, name) for part in (*wanted.paths, *usual) if Path(part, name).is_file()), None)
            if place is None:
                continue  # the program that wants it will say so, if it is ever run
            target = root / (str(place.parent).lstrip("/") if str(place.parent) in usual else "lib") / name
            _copy(place.resolve(), target)
            origins[target] = place.resolve()
            todo.append(target)


def _usual() -> Iterator[str]:
    """Give the directories that a loader knows by itself: with the machine's own name in them first."""
    triplet = sysconfig.get_config_var("MULTIARCH")
    for place in USUAL:
        if triplet and Path(place, triplet).is_dir():
            yield f"{place}/{triplet}"
    yield from USUAL
