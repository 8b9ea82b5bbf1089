"""Migrations without a database: the snapshot of the tables as last generated, what changed since, and revisions."""
