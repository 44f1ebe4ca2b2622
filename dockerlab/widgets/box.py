"""The base of all widgets here: it adds text for pages and terminals that can't show widgets."""

from __future__ import annotations

from typing import Any

import ipywidgets

__all__ = ["Box"]


class Box(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A box of widgets that also displays as text. A subclass defines the text: `__repr__` and `page`."""

    def page(self) -> str:
        """Return HTML for a page without widgets. It is the same in each run of a lesson."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        widget = super()._repr_mimebundle_(**options) or {}
        return {**widget, "text/plain": repr(self), "text/html": self.page()}
