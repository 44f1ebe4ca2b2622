"""The Docker Engine API as a course you run: every response is a DataFrame, and every lesson works on any engine.

    >>> import dockerlab
    >>> lab = dockerlab.connect()              # an engine, or the practice engine
    >>> lab.container.list(all=True)           # GET /containers/json, as a DataFrame
    >>> lab.last.show()                        # the same call as curl, requests, helper and docker CLI
    >>> lesson = dockerlab.lesson("01")        # what a notebook's first cell does

`import dockerlab` is quick: pandas, ipywidgets and even the HTTP library are loaded when they are first used.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from dockerlab.course.lesson import lesson as lesson
    from dockerlab.endpoint import credentials as credentials
    from dockerlab.errors import ArgumentError as ArgumentError
    from dockerlab.errors import ConnectionFailed as ConnectionFailed
    from dockerlab.errors import DockerlabError as DockerlabError
    from dockerlab.errors import EngineError as EngineError
    from dockerlab.errors import OperationFailed as OperationFailed
    from dockerlab.lab.lab import Lab as Lab
    from dockerlab.lab.lab import connect as connect
    from dockerlab.lab.recorder import replay as replay

__version__ = "0.1.0"

#: The module of each public name. It is imported when the name is first used.
_MODULES = {
    "connect": "dockerlab.lab.lab",
    "lesson": "dockerlab.course",
    "Lab": "dockerlab.lab.lab",
    "DockerlabError": "dockerlab.errors",
    "ArgumentError": "dockerlab.errors",
    "EngineError": "dockerlab.errors",
    "ConnectionFailed": "dockerlab.errors",
    "OperationFailed": "dockerlab.errors",
    "replay": "dockerlab.lab.recorder",
}
#: Public modules whose documented name is shorter than their place in a room.
_ALIASES = {
    "dockerlab.credentials": "dockerlab.endpoint.credentials",
    "dockerlab.operations": "dockerlab.protocol.operations",
    "dockerlab.recorder": "dockerlab.lab.recorder",
}

__all__ = [
    "ArgumentError",
    "ConnectionFailed",
    "DockerlabError",
    "EngineError",
    "Lab",
    "OperationFailed",
    "__version__",
    "connect",
    "credentials",
    "lesson",
    "replay",
]


class _AliasFinder:
    """Makes `import dockerlab.recorder` load `dockerlab.lab.recorder`: one module under two names, loaded when used."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, _AliasFinder()) if name in _ALIASES else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_ALIASES[spec.name])
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # undo that the import system has stored the spec of the alias


sys.meta_path.append(_AliasFinder)


def __getattr__(name: str) -> Any:
    if f"dockerlab.{name}" in _ALIASES:
        return importlib.import_module(f"dockerlab.{name}")
    if name in _MODULES:
        value = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dockerlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
