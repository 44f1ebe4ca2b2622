"""`import dockerlab` is quick, and loads nothing before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("pandas", "numpy", "ipywidgets", "IPython", "requests", "urllib3", "asyncio", "matplotlib", "click", "rich")
MEASURE = """
import json, sys, time
before = set(sys.modules)
clock = time.perf_counter()
import dockerlab
seconds = time.perf_counter() - clock
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""


def output_of(program: str) -> list[object]:
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    output: list[object] = json.loads(process.stdout)
    return output


def test_import_loads_nothing_heavy() -> None:
    _, loaded = output_of(MEASURE)
    assert isinstance(loaded, list)
    assert "dockerlab" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]


def test_import_takes_less_than_50_milliseconds() -> None:
    best = min(float(str(output_of(MEASURE)[0])) for _ in range(3))
    assert best < 0.05


def test_every_public_name_is_there_and_loads_no_pandas() -> None:
    program = (
        "import json, sys, dockerlab\n"
        "names = [getattr(dockerlab, name) is not None for name in dockerlab.__all__ if name != 'lesson']\n"
        "print(json.dumps([all(names), dir(dockerlab) == sorted(dockerlab.__all__), 'pandas' in sys.modules]))"
    )
    assert output_of(program) == [True, True, False]


def test_an_unknown_name_is_an_attribute_error() -> None:
    program = (
        "import json, dockerlab\n"
        "try:\n    dockerlab.conect\n"
        "except AttributeError as error:\n    print(json.dumps([str(error)]))"
    )
    assert output_of(program) == ["module 'dockerlab' has no attribute 'conect'"]
