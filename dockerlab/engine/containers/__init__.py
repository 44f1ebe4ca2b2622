"""The state machine of containers, and its parts."""
