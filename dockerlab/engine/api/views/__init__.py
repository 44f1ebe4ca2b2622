"""The engine's objects as JSON documents, as each version of the API shows them."""
