"""Build arguments: the values that a client passes, and the ARG instructions that declare their names."""

from __future__ import annotations

from collections.abc import Iterable

from dockerlab.engine.build.substitution import expand
from dockerlab.engine.images.instructions import Instruction

__all__ = ["BuildArguments"]

#: Proxy settings need no ARG, and they don't become part of an image's history.
PREDEFINED = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


class BuildArguments:
    def __init__(self, values: dict[str, str | None], global_arguments: Iterable[Instruction], escape: str) -> None:
        """Evaluate the ARGs before the first FROM, whose names the FROMs may use. Raises BadParameter."""
        self.values = values
        self.escape = escape
        self.declared: set[str] = set()
        #: values from before the first FROM, which are also the defaults of ARGs without one
        self.defaults: dict[str, str] = {}
        for instruction in global_arguments:
            self.defaults.update(self.declare(instruction, self.defaults))

    def declare(self, instruction: Instruction, variables: dict[str, str]) -> dict[str, str]:
        """Return the names of an ARG with the client's value, or else the default. Raises BadParameter."""
        arguments: dict[str, str] = {}
        for word in instruction.words():
            name, equals, default = word.partition("=")
            self.declared.add(name)
            value = self.values.get(name)
            if value is not None:
                arguments[name] = value
            elif equals:
                arguments[name] = expand(default, {**variables, **arguments}, self.escape)
            elif name in self.defaults:
                arguments[name] = self.defaults[name]
        return arguments

    def unused(self) -> list[str]:
        """Return the names that the client passed and no ARG declared."""
        predefined = {*PREDEFINED, *(name.lower() for name in PREDEFINED)}
        return sorted(set(self.values) - self.declared - predefined)

    def proxy_environment(self) -> list[str]:
        """Return the proxy settings that every RUN gets as environment variables."""
        return [
            f"{name}={value}" for name, value in self.values.items() if name.upper() in PREDEFINED and value is not None
        ]
