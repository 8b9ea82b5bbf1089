"""Which revisions share a transaction: all that change tables, up to the next that changes rows."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from sqlalchemy import Connection

from soulspot_db.migrations.batches import forget_progress
from soulspot_db.migrations.leftovers import put_back_indexes
from soulspot_db.migrations.postgresql.ending import end_revision
from soulspot_db.migrations.postgresql.finishing import catch_up
from soulspot_db.migrations.revisions import title_of
from soulspot_db.migrations.run import Run
from soulspot_db.migrations.transactions import next_transaction, read_version
from soulspot_db.migrations.witness import Witness

__all__ = ["Plan", "staged"]

Plan: TypeAlias = Callable[[Any, Any], Iterable[MigrationStep]]
"""What Alembic asks for the steps of a run."""


def staged(plan: Plan, connection: Connection | None, run: Run) -> Plan:
    """The same steps, with the transactions that they need between them.

    A revision that changes rows has transactions of its own, in which foreign keys are enforced, and commits as it
    goes. The caller commits the last. Without a connection SQL is printed, and there is nothing to commit.
    """

    def steps(heads: Any, migration: Any) -> Iterator[MigrationStep]:
        stage = _Stage(connection, run) if connection else None
        for step in plan(heads, migration):
            if isinstance(step, RevisionStep):
                is_data = bool(getattr(step.revision.module, "data", False))
                if stage:
                    stage.enter(is_data=is_data)
                run.begin(step.revision.revision, is_data=is_data, is_up=step.is_upgrade)
                if connection:
                    run.announce(title_of(step.revision.doc))
            yield step
            # Alembic has written the version by now, in the same transaction.
            _end_revision(migration, connection, run)
        if stage:
            stage.end()

    return steps


def _end_revision(migration: MigrationContext, connection: Connection | None, run: Run) -> None:
    if migration.dialect.name == "postgresql":
        end_revision(migration, connection, run)
        if connection and run.is_trial:
            catch_up(connection)  # there is no COMMIT that it could come after
    elif connection:
        put_back_indexes(connection, run)
    if connection:
        forget_progress(connection)


class _Stage:
    """The transaction that is open."""

    def __init__(self, connection: Connection, run: Run) -> None:
        self._connection = connection
        self._run = run
        self._is_data = False
        self._witness: Witness | None = None

    def enter(self, *, is_data: bool) -> None:
        """Go on in a transaction that fits the next revision."""
        if self._run.is_trial:
            return
        if is_data or self._is_data:
            is_first = not self._run.revision
            self.end()
            kept = read_version(self._connection)
            next_transaction(self._connection, foreign_keys=is_data)
            if not is_first:
                self._run.kept = kept
            self._is_data = is_data
        if self._connection.dialect.name == "postgresql":
            if not is_data:
                catch_up(self._connection)
        elif not is_data and self._witness is None:
            self._witness = Witness(self._connection)

    def end(self) -> None:
        """Look at what was done, before it is committed."""
        if self._witness is not None:
            self._witness.verify(self._run.outcome)
            self._witness.leave()
            self._witness = None
