"""Codes of errors where each is counted by itself: as few as there are classes of ours."""

from soulspot_db import errors
from soulspot_db.errors import DatabaseError

__all__ = ["OTHER", "counted_code"]

OTHER = "other"
_CODES = frozenset(
    each.code for each in vars(errors).values() if isinstance(each, type) and issubclass(each, DatabaseError)
)


def counted_code(code: str) -> str:
    """The code if it is one of ours; classes of others may be any number, and are counted together."""
    return code if code in _CODES else OTHER
