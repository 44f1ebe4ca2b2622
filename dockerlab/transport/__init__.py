"""Bytes to an engine and back: connections, responses, hijacked streams, and what can go wrong."""
