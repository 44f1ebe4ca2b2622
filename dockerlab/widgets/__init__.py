"""Live views: widgets that follow an engine. Each has a still form for pages without widgets.

`widgets.Containers(lab, filters=lesson.filters)`, `widgets.Processes(lab, "web")`, `widgets.Logs(lab, "web")`,
`widgets.States(lab, "web")`; `widgets.Progress("export of web")` for a download, `widgets.Steps("pull of web")` for a
pull, a push, a build or a load.
"""

from __future__ import annotations

from dockerlab.widgets.progress_bar import Progress
from dockerlab.widgets.progress_steps import Steps
from dockerlab.widgets.view import View, stop_all
from dockerlab.widgets.views import Containers, Logs, Processes, States

__all__ = ["Containers", "Logs", "Processes", "Progress", "States", "Steps", "View", "stop_all"]
