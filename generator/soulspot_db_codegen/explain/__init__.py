"""What SQLite would do for a named query, and which index would spare it most of that."""
