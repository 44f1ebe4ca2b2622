"""Live views: widgets that follow an engine. Each has a still form for pages without widgets.

`widgets.Containers(lab, filters=lesson.filters)`, `widgets.Processes(lab, "web")`, `widgets.Logs(lab, "web")`,
`widgets.States(lab, "web")`, and `widgets.Progress("export of web")` for a download.
"""

from __future__ import annotations

from dockerlab.widgets.live import Containers, Logs, Processes, States
from dockerlab.widgets.progress import Progress
from dockerlab.widgets.view import View, stop_all

__all__ = ["Containers", "Logs", "Processes", "Progress", "States", "View", "stop_all"]
