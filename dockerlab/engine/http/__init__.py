"""HTTP for the practice engine: h11 on asyncio."""
