"""The Engine API as data: operations, schemas, requests, exchanges, and the formats of streams."""
