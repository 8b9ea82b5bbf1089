"""The tables in which a database says where it is."""

__all__ = ["LATER_TABLE", "PROGRESS_TABLE", "REVISION", "VERSION_TABLE"]

VERSION_TABLE = "soulspot_db_version"
"""The revision that it is at."""

REVISION = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 - the name is ours
"""Asks for it."""

PROGRESS_TABLE = "soulspot_db_progress"
"""How far the revision that changes rows has come; there only while one runs, or after it was stopped."""

LATER_TABLE = "soulspot_db_later"
"""What is still to be done on PostgreSQL that is done outside of a transaction; there only while there is something."""
