"""HTTP for the practice engine, with h11 on asyncio: routes, server, connections, requests and responses."""
