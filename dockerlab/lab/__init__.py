"""What `dockerlab.connect()` returns: the Lab, its wire log, and the recorder."""

from dockerlab.lab.lab import Lab, Wire, connect

__all__ = ["Lab", "Wire", "connect"]
