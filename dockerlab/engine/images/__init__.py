"""Images: the store, layers and file trees, registries and archives."""
