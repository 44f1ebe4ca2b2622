"""The practice engine: the Docker Engine API, served in Python, with real processes behind a real unix socket.

It is a learning tool, not a sandbox. Of the rest of dockerlab it imports only the endpoint table and the version.
"""
