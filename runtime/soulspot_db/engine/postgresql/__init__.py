"""PostgreSQL: asyncpg connections from a pool of our own settings."""
