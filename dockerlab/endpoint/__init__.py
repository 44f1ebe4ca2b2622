"""Where an engine is: addresses, docker's contexts, TLS and ssh settings, registry credentials."""

from dockerlab.endpoint.endpoint import Endpoint, Way, ways

__all__ = ["Endpoint", "Way", "ways"]
