"""What befalls the session of a run: it is ended by the server at a statement, or its work stops there."""

import homes
from soulspot_db import DatabaseSettings

from tests.migrations.test_runner_failures import Failing

__all__ = ["Losing", "StoppedAt"]

# Waited for, so that the session is gone when the statement is sent.
_END = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'soulspot-db'
"""


class Losing(Failing):
    """Has the server end the session before a statement: one by its number, or the first that begins so."""

    def __init__(self, settings: DatabaseSettings, *, at: int = 0, beginning: str = "nothing begins so") -> None:
        super().__init__(at)
        self.settings = settings
        self.beginning = beginning
        self.is_lost = False

    def __call__(self, _connection, _cursor, statement, *_rest):
        self.statements.append(statement)
        is_here = len(self.statements) == self.at or statement.startswith(self.beginning)
        if is_here and not self.is_lost:
            self.is_lost = True
            self.end()

    def end(self) -> None:
        homes.on_server(self.settings, _END, ())


class StoppedAt(Losing):
    """The same, as when the process was killed: its work ends, and it sees to nothing any more."""

    def end(self) -> None:
        super().end()
        raise KeyboardInterrupt
