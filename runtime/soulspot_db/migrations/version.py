"""The tables in which a database says where it is."""

__all__ = ["LATER_TABLE", "PROGRESS_TABLE", "VERSION_TABLE"]

VERSION_TABLE = "soulspot_db_version"
"""The revision that it is at."""

PROGRESS_TABLE = "soulspot_db_progress"
"""How far the revision that changes rows has come; there only while one runs, or after it was stopped."""

LATER_TABLE = "soulspot_db_later"
"""What is still to be done on PostgreSQL that is done outside of a transaction; there only while there is something."""
