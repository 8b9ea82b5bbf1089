"""When the database was copied last."""

from datetime import UTC, datetime, timedelta

from soulspot_db.copies import names as copy_names
from soulspot_db.health.finding import Finding, fine, warned
from soulspot_db.settings import DatabaseSettings

__all__ = ["last_backup"]

_OLD = timedelta(days=2)  # a nightly backup that was missed


def last_backup(settings: DatabaseSettings) -> Finding:
    """Whether there is a recent copy, where the settings say that there is to be one."""
    is_expected, newest = settings.backup_path is not None, copy_names.last_backup(settings)
    if newest is None:
        return warned("there is none in DATABASE_BACKUP_PATH") if is_expected else fine("none is known")
    age = max(datetime.now(UTC) - newest[1], timedelta())
    message = f"made {age.total_seconds() / 3600:,.0f} h ago"
    return warned(f"the newest was {message}") if is_expected and age > _OLD else fine(message)
