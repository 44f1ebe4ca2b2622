"""Compiles the programs in C that run in containers, for what no shell can do."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from processes import program

__all__ = ["attack_program", "compile_static"]

ATTACK_PROGRAM = Path(__file__).with_name("attack_program.c")
OPTIONS = ("-O1", "-Wall", "-Wextra", "-Werror")


@functools.cache
def attack_program() -> bytes:
    """Return the compiled attack program; see `compile_static`."""
    return compile_static(ATTACK_PROGRAM, *OPTIONS)


def compile_static(source: Path, *options: str) -> bytes:
    """Return a program that needs no libraries.

    Without gcc and a static C library, skip the test, or fail it if DOCKERLAB_REQUIRE_DOCKER is set.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "program")
        command = [program("gcc"), "-static", *options, "-o", str(output), str(source)]
        process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if process.returncode and "cannot find -l" in process.stderr and not os.environ.get("DOCKERLAB_REQUIRE_DOCKER"):
            pytest.skip("there is no static C library")
        assert not process.returncode, process.stderr
        return output.read_bytes()
