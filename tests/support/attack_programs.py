"""Compiles the attack program, for the attacks that no shell can do."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from processes import program

__all__ = ["attack_program"]

SOURCE = Path(__file__).with_name("attack_program.c")
COMPILER_OPTIONS = ("-static", "-O1", "-Wall", "-Wextra", "-Werror")


@functools.cache
def attack_program() -> bytes:
    """Return the compiled program. Without gcc, skip the test, or fail it if DOCKERLAB_REQUIRE_DOCKER is set."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "attack")
        command = [program("gcc"), *COMPILER_OPTIONS, "-o", str(output), str(SOURCE)]
        subprocess.run(command, check=True, timeout=60)
        return output.read_bytes()
