"""Where a database says which revision it is at."""

__all__ = ["VERSION_TABLE"]

VERSION_TABLE = "soulspot_db_version"
