"""Images: store, layers, registries, archives."""
