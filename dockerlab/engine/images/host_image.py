"""Fills the base image with this machine's own programs, on machines without a static busybox.

The programs are copied with the libraries that they need and with the loader. `httpd` and `wget` are applets of our
own; they run with a copy of this interpreter and the few files that it can't start without.
"""

from __future__ import annotations

import _socket
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from dockerlab.engine.common.host_programs import elf_dependencies

__all__ = ["add_programs", "is_possible"]

PROGRAMS = """
sh cat chmod cp cut date dd df dirname basename du echo env expr false find grep head hostname id kill ln ls
mkdir mktemp mv nice nproc od printenv printf ps pwd readlink rm rmdir sed seq sleep sort stat stty sync tail
tar tee test touch tr true tty uname uniq wc which whoami xargs yes
"""
PROGRAM_DIRECTORIES = ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin")
LIBRARY_DIRECTORIES = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")
APPLETS = ("httpd", "wget")
ENCODINGS = ("__init__.py", "aliases.py", "utf_8.py", "ascii.py", "latin_1.py")
PYTHON = "opt/python"
#: `$0` is the path of the applet, so the wrapper works with and without a root directory of its own.
WRAPPER = """#!/bin/sh
root=${{0%/bin/{name}}}
exec "$root/opt/python/bin/python3" -B -E -S "$root/opt/applets/{name}.py" "$@"
"""


def is_possible() -> bool:
    """Return whether this machine has the one program that the image can't do without: a shell."""
    return _find_program("sh") is not None


def add_programs(root: Path) -> None:
    """Copy programs, libraries and applets into a tree that already has its directories."""
    programs = {name: path for name in PROGRAMS.split() if (path := _find_program(name))}
    if "sh" not in programs:
        raise RuntimeError(
            "The practice engine builds its base image from this machine's programs, and this machine has no sh. "
            "Install a shell, or a static busybox."
        )
    for name, path in programs.items():
        _copy(path, root / "bin" / name)
    _add_interpreter(root)
    _add_applets(root)
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    _add_libraries(root, files, {path: programs.get(path.name) for path in files})


def _find_program(name: str) -> Path | None:
    """Return the path of a program, with symbolic links such as `sh` to `dash` resolved."""
    for directory in PROGRAM_DIRECTORIES:
        path = Path(directory, name)
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    return None


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _add_interpreter(root: Path) -> None:
    """Copy Python with its landmark file, the text encodings, its shared library, and `_socket` if that is a file."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library, source = root / PYTHON / "lib" / version, Path(sysconfig.get_path("stdlib"))
    _copy(executable, root / PYTHON / "bin/python3")
    _copy(source / "os.py", library / "os.py")
    for name in ENCODINGS:
        _copy(source / "encodings" / name, library / "encodings" / name)
    (library / "lib-dynload").mkdir(exist_ok=True)
    if getattr(_socket, "__file__", None):
        module = Path(_socket.__file__)
        _copy(module, library / "lib-dynload" / module.name)
    name = str(sysconfig.get_config_var("INSTSONAME") or "")
    path = Path(sysconfig.get_config_var("LIBDIR") or "/") / name
    if name.startswith("libpython") and ".so" in name and path.is_file():
        copy = root / PYTHON / "lib" / name
        _copy(path, copy)  # an interpreter with a relative RPATH looks here
        (root / "lib").mkdir(exist_ok=True)
        os.link(copy, root / "lib" / name)  # every other interpreter looks here


def _add_applets(root: Path) -> None:
    sources = Path(__file__).parent / "applets"
    for name in ("common", *APPLETS):
        _copy(sources / f"{name}.py", root / "opt/applets" / f"{name}.py")
    for name in APPLETS:
        wrapper = root / "bin" / name
        wrapper.write_text(WRAPPER.format(name=name))
        wrapper.chmod(0o755)


def _add_libraries(root: Path, files: list[Path], origins: dict[Path, Path | None]) -> None:
    """Copy the libraries that the files need, and those that the libraries need, to where a loader finds them.

    `origins` has the path on this machine of each file that is a copy.
    """
    default_directories, queue, seen = list(_loader_directories()), list(files), set()
    while queue:
        file = queue.pop()
        dependencies = elf_dependencies(origins.get(file) or file)
        if dependencies is None:
            continue
        if dependencies.loader and dependencies.loader not in seen:
            seen.add(dependencies.loader)
            _copy(Path(dependencies.loader).resolve(), root / dependencies.loader.lstrip("/"))
        for name in dependencies.libraries:
            if name in seen or (root / PYTHON / "lib" / name).exists():
                continue
            seen.add(name)
            candidates = (Path(directory, name) for directory in (*dependencies.directories, *default_directories))
            path = next((candidate for candidate in candidates if candidate.is_file()), None)
            if path is None:
                continue  # the program itself reports the missing library if it is ever started
            directory = str(path.parent).lstrip("/") if str(path.parent) in default_directories else "lib"
            target = root / directory / name
            _copy(path.resolve(), target)
            origins[target] = path.resolve()
            queue.append(target)


def _loader_directories() -> Iterator[str]:
    """Yield the directories that a loader searches by default, those with the machine's architecture first."""
    triplet = sysconfig.get_config_var("MULTIARCH")
    for directory in LIBRARY_DIRECTORIES:
        if triplet and Path(directory, triplet).is_dir():
            yield f"{directory}/{triplet}"
    yield from LIBRARY_DIRECTORIES
