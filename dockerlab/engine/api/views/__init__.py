"""Responses: how the engine's objects look in JSON."""
