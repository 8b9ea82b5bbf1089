"""The defaults that the runtime makes, because no database makes them alike."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7 as _uuid7

__all__ = ["MAKERS", "utc_now", "uuid4", "uuid7"]


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def uuid7() -> UUID:
    """A UUID that sorts by the time it was made (RFC 9562), so that new rows sit together in the index."""
    return _uuid7()


MAKERS = {"now": utc_now, "uuid4": uuid4, "uuid7": uuid7}
