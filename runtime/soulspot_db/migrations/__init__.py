"""Bringing a database to the revision that the code needs."""
