"""Where an engine is: addresses, docker's contexts, TLS and ssh settings, registry credentials."""
