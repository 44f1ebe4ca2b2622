"""The Docker Engine API as a course you run: every answer a DataFrame, every lesson on any engine."""
