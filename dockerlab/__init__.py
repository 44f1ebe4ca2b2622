"""The Docker Engine API as a course you run: every answer a DataFrame, every lesson on any engine.

    >>> import dockerlab
    >>> lab = dockerlab.connect()              # an engine, or the practice engine
    >>> lab.container.list(all=True)           # GET /containers/json, as a DataFrame
    >>> lab.last.show()                        # the same call as curl, requests, helper and docker CLI
    >>> lesson = dockerlab.lesson("01")        # what a notebook's first cell does

Nothing is loaded before it is used: neither pandas nor ipywidgets, not even an HTTP library.
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

_WHERE = {
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


#: Public modules whose documented names are shorter than their places.
_ALIASES = {
    "dockerlab.credentials": "dockerlab.endpoint.credentials",
    "dockerlab.operations": "dockerlab.protocol.operations",
    "dockerlab.recorder": "dockerlab.lab.recorder",
}


class _Aliases:
    """Lets `import dockerlab.recorder` load the module from its place: one module under two names, loaded when used."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, _Aliases()) if name in _ALIASES else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_ALIASES[spec.name])
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # Python has put the alias's own here


sys.meta_path.append(_Aliases)


def __getattr__(name: str) -> Any:
    if f"dockerlab.{name}" in _ALIASES:
        return importlib.import_module(f"dockerlab.{name}")
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dockerlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
