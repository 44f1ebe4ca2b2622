"""The practice engine: the Docker Engine API, served in Python, with real processes behind a real unix socket.

It is for learning, and not a sandbox. It imports nothing of dockerlab but the endpoint table.
"""
