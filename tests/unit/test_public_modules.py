"""Public modules keep the names that README, docs and notebooks give them, wherever they lie."""

from __future__ import annotations

import subprocess
import sys

import pytest

PLACES = {
    "recorder": "dockerlab.lab.recorder",
    "credentials": "dockerlab.endpoint.credentials",
    "operations": "dockerlab.protocol.operations",
}


@pytest.mark.parametrize(("name", "place"), PLACES.items())
@pytest.mark.parametrize("statement", ["import dockerlab.{0}", "from dockerlab import {0}", "import dockerlab"])
def test_a_public_module_is_found_by_its_documented_name(name: str, place: str, statement: str) -> None:
    code = f"""
import sys
{statement.format(name)}
import dockerlab, {place}
assert dockerlab.{name} is sys.modules["{place}"]
assert dockerlab.{name}.__spec__.name == dockerlab.{name}.__name__ == "{place}"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_ways_to_an_engine_are_found_where_the_documentation_says() -> None:
    from dockerlab import endpoint

    assert next(endpoint.ways()).name == "the caller"


def test_a_module_that_does_not_exist_is_still_an_import_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'dockerlab\.nonsense'"):
        __import__("dockerlab.nonsense")
