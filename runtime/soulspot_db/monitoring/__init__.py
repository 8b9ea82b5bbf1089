"""What the database did: counters, slow statements, the query log."""
