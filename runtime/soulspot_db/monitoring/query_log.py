"""The query log: one line a statement, in words or as JSON, on the logger `soulspot_db.query`."""

import json
import logging
from typing import Literal

from soulspot_db.engine.base import Statement
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["QueryLog"]

_log = logging.getLogger("soulspot_db.query")
_LONGEST = 200  # characters of one value
_MOST = 50  # values


class QueryLog:
    """Writes the lines.

    Args:
        enabled: whether each statement has one, at DEBUG; slow ones have one at WARNING either way.
        form: how it is written.
        parameters: whether values are shown, where no field of theirs is to be kept from others.
    """

    def __init__(self, *, enabled: bool, form: Literal["text", "json"] = "text", parameters: bool = False) -> None:
        self._enabled = enabled
        self._form = form
        self._parameters = parameters

    @property
    def is_on(self) -> bool:
        """Whether statements that are not slow are to be told of."""
        return self._enabled and _log.isEnabledFor(logging.DEBUG)

    def write(self, statement: Statement, seconds: float, *, slow: bool) -> None:
        """Log a statement."""
        sql = " ".join(statement.sql.split())
        level = logging.WARNING if slow else logging.DEBUG
        shown = [_shown(value) for value in statement.values[:_MOST]] if self._shows(statement) else None
        if self._form == "json":
            told = {"statement": sql, "milliseconds": round(seconds * 1000, 3), "slow": slow}
            line = json.dumps(told if shown is None else told | {"parameters": shown})
            log_quietly(_log, level, "%s", line)
        elif slow:
            log_quietly(_log, level, "slow statement, %.0f ms: %s%s", seconds * 1000, sql, _listed(shown))
        else:
            log_quietly(_log, level, "%.3f ms: %s%s", seconds * 1000, sql, _listed(shown))

    def _shows(self, statement: Statement) -> bool:
        return self._parameters and statement.shown and statement.bulk is None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _listed(shown: list[str] | None) -> str:
    return "" if shown is None else f" [{', '.join(shown)}]"
