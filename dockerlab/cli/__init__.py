"""The `dockerlab` command."""
