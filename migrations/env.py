"""Alembic's way in; everything else is in the runtime."""

from soulspot_db.migrations.environment import run_migrations

run_migrations()
