"""Live views: widgets that show what an engine does now. Each also has a static form for pages without widgets.

`widgets.Containers(lab, filters=lesson.filters)`, `widgets.Processes(lab, "web")`, `widgets.Logs(lab, "web")`,
`widgets.States(lab, "web")` are live views. `widgets.Progress("export of web")` shows the progress of a download,
`widgets.Steps("pull of web")` that of a pull, a push, a build or a load.
"""

from __future__ import annotations

from dockerlab.widgets.progress_bar import Progress
from dockerlab.widgets.progress_steps import Steps
from dockerlab.widgets.view import View, stop_all
from dockerlab.widgets.views import Containers, Logs, Processes, States

__all__ = ["Containers", "Logs", "Processes", "Progress", "States", "Steps", "View", "stop_all"]
