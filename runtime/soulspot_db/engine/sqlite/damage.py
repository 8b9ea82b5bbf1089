"""Damage that statements have met: told to callers with the backup to restore, remembered for health, and logged once."""

import logging

from soulspot_db.engine.base import Outcome
from soulspot_db.engine.sqlite.errors import with_newest_copy
from soulspot_db.errors import DatabaseError
from soulspot_db.monitoring.quiet import log_quietly
from soulspot_db.settings import DatabaseSettings

__all__ = ["MetDamage"]

_log = logging.getLogger("soulspot_db.monitoring")


class MetDamage:
    """What the lanes of one file have met since it was opened. They are threads: two that meet it at once may both log it.

    Args:
        settings: where the file and its copies are.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self.said: str | None = None
        """What the last statement that met it has said; None where none has."""

    def told(self, outcome: Outcome) -> Outcome:
        """The same outcome; of damage the error names the backup to restore."""
        if outcome.error is None:
            return outcome
        error = with_newest_copy(outcome.error, self._settings)
        if isinstance(error, DatabaseError) and error.context.get("damaged"):
            if self.said is None:
                log_quietly(_log, logging.ERROR, "%s", error)
            self.said = error.message
        return Outcome(error=error)
