"""The life of a container, from the request that creates it to its removal."""
