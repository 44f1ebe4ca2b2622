"""What `dockerlab.connect()` returns: the Lab, its wire log, and the recorder."""

from dockerlab.lab.lab import Lab, connect
from dockerlab.lab.wire import Wire

__all__ = ["Lab", "Wire", "connect"]
