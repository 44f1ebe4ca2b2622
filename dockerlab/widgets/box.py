"""What each widget here has besides ipywidgets' own: words for a page or a terminal where no widget can live."""

from __future__ import annotations

from typing import Any

import ipywidgets

__all__ = ["Box"]


class Box(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A box of widgets that displays itself with words beside. A subclass gives them: `__repr__` and `page`."""

    def page(self) -> str:
        """Give what a page without widgets shows, as HTML; it is the same in each run of a lesson."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Give the widget with its words."""
        widget = super()._repr_mimebundle_(**options) or {}
        return {**widget, "text/plain": repr(self), "text/html": self.page()}
