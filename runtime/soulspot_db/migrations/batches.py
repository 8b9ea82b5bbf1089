"""The rows of a table in pages: each is committed, and a run that was killed goes on after the last of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic import op

from soulspot_db.errors import MigrationError
from soulspot_db.migrations.positions import dump_position, load_position
from soulspot_db.migrations.run import current_run, is_offline
from soulspot_db.migrations.transactions import next_transaction
from soulspot_db.migrations.version import PROGRESS_TABLE

__all__ = ["batches", "forget_progress"]

_progress = sa.Table(
    PROGRESS_TABLE,
    sa.MetaData(),
    sa.Column("revision", sa.Text(), primary_key=True),
    sa.Column("loop", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("position", sa.Text(), nullable=False),
    sa.Column("done", sa.Integer(), nullable=False),
    sqlite_strict=True,
)


def batches(
    table: sa.TableClause, *, key: str | Sequence[str] = "id", size: int = 1000
) -> Iterator[Sequence[sa.Row[Any]]]:
    """Go through a table in the order of its key.

    After each page what was done is committed. What stands before a loop is done again when a run that was killed goes
    on, so it must be harmless to do twice. Keys must not be changed on the way.

    Args:
        table: `sa.table(...)` with the columns that are read.
        key: the primary key's column or columns: unique, never null.
        size: rows in a page.

    Yields:
        The rows of a page.

    Raises:
        MigrationError: SQL was asked for, and this is Python; the revision does not say `data = True`; or a loop is in
            another one.
    """
    run = current_run()
    if is_offline():
        raise MigrationError(
            f"revision {run.revision} changes rows with Python, which cannot be printed as SQL",
            f"Run it: soulspot-db migrate --to {run.revision}",
            "Then print what follows it.",
            operation="migrate",
        )
    if not run.is_data:
        raise MigrationError(
            f"revision {run.revision} goes through rows in batches, and does not say that it changes rows",
            "Write `data = True` in it, and change tables in another revision: batches are committed one by one.",
            operation="migrate",
        )
    if run.in_loop:
        # A loop is known by its number, and how often the outer one begins it depends on where the run was stopped.
        raise MigrationError(
            f"revision {run.revision} begins a loop over batches inside another one",
            "Read what the inner loop needs with a SELECT, or write two loops, one after the other.",
            run.outcome,
            operation="migrate",
        )
    bookmark = _Bookmark(op.get_bind(), run.revision, run.loops)
    run.loops += 1
    run.in_loop = True
    try:
        yield from _pages(table, [key] if isinstance(key, str) else list(key), size, bookmark)
    finally:
        run.in_loop = False


def _pages(
    table: sa.TableClause, names: list[str], size: int, bookmark: "_Bookmark"
) -> Iterator[Sequence[sa.Row[Any]]]:
    run = current_run()
    columns = [table.c[name] for name in names]
    total: int = bookmark.connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    while True:
        # Read anew each time: between two transactions another process may have done a page.
        done, position = bookmark.read()
        page = sa.select(table).order_by(*columns).limit(size)
        if position is not None:
            page = page.where(sa.tuple_(*columns) > sa.tuple_(*map(sa.literal, position)))
        rows = bookmark.connection.execute(page).fetchall()
        if not rows:
            return
        yield rows
        done += len(rows)
        bookmark.write(done, [getattr(rows[-1], name) for name in names])
        if not run.is_trial:
            next_transaction(bookmark.connection, foreign_keys=True)
        run.progress(f"revision {run.revision}, {table.name}", done, total)


def forget_progress(connection: sa.Connection) -> None:
    """Remove the bookmarks, in the transaction in which their revision is applied."""
    _progress.drop(connection, checkfirst=True)


@dataclass(frozen=True, slots=True)
class _Bookmark:
    """How far a loop has come."""

    connection: sa.Connection
    revision: str
    loop: int

    def read(self) -> tuple[int, list[Any] | None]:
        """The rows that are done, and the key of the last one."""
        _progress.create(self.connection, checkfirst=True)
        query = sa.select(_progress.c.done, _progress.c.position).where(self._is_here())
        found = self.connection.execute(query).first()
        return (0, None) if found is None else (found.done, load_position(found.position))

    def write(self, done: int, position: list[Any]) -> None:
        """Remember it, in the transaction in which the page is changed."""
        self.connection.execute(_progress.delete().where(self._is_here()))
        values = {"revision": self.revision, "loop": self.loop, "position": dump_position(position), "done": done}
        self.connection.execute(_progress.insert().values(values))

    def _is_here(self) -> sa.ColumnElement[bool]:
        return sa.and_(_progress.c.revision == self.revision, _progress.c.loop == self.loop)
