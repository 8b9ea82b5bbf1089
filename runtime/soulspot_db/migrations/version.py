"""The tables in which a database says where it is."""

__all__ = ["PROGRESS_TABLE", "VERSION_TABLE"]

VERSION_TABLE = "soulspot_db_version"
"""The revision that it is at."""

PROGRESS_TABLE = "soulspot_db_progress"
"""How far the revision that changes rows has come; there only while one runs, or after it was stopped."""
