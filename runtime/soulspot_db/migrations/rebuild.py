"""A table in another form: made beside the old one, filled from it, put in its place; on PostgreSQL it is altered."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

from soulspot_db import ddl
from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.leftovers import Leftovers
from soulspot_db.migrations.postgresql.alter import alter_table
from soulspot_db.migrations.run import Run, current_run, is_offline

__all__ = ["PREFIX", "rebuild_table"]

PREFIX = "_soulspot_rebuild_"
_CHUNK = 10_000
_LEAST, _MOST = -(2**63), 2**63 - 1


def rebuild_table(
    name: str,
    *items: sa.schema.SchemaItem,
    values: Mapping[str, str] | None = None,
    postgresql: Mapping[str, str] | None = None,
    without: Collection[str] | None = None,
    **options: Any,
) -> None:
    """Give a table a new form. Its triggers, and indexes that somebody made by hand, come along.

    Args:
        name: the table.
        items: all columns and constraints that it is to have.
        values: SQL over the old columns, for the columns that are not taken over by name.
        postgresql: the same for PostgreSQL, where that is other SQL. There the table is altered, and columns that
            somebody added by hand stay.
        without: the columns that are dropped on purpose. If given, any other that would be lost is refused: somebody
            added it by hand.
        options: of the table, for Alembic.

    Raises:
        MigrationError: rows got lost on the way, something was left in its way, a column would be lost, or foreign keys
            are enforced.
    """
    temporary = PREFIX + name
    run = current_run()
    if op.get_context().dialect.name == "postgresql":
        _require_a_database(name, run)
        alter_table(name, items, (values or {}) if postgresql is None else postgresql, without, run)
        return
    leftovers = None
    if not is_offline():
        _look(temporary)
        leftovers = Leftovers.of(op.get_bind(), name)
        if leftovers.counts_keys:
            options = {"sqlite_autoincrement": True, **options}
    table = op.create_table(temporary, *items, **{"sqlite_strict": True, **options})
    given = values or {}
    columns = {column.name: given.get(column.name, f"{quoted(name)}.{quoted(column.name)}") for column in table.columns}
    if without is not None and leftovers is not None:
        _refuse_strangers(name, leftovers.columns - columns.keys() - set(without), run)
    if leftovers is None:
        op.execute(ddl.sql(_insert(name, temporary, columns)))
    else:
        _copy(run, name, temporary, _with_rowid(table, name, columns, leftovers.rowid))
        _compare(name, temporary, run)
    op.drop_table(name)
    with _quiet_rename():
        op.rename_table(temporary, name)
    if leftovers is not None:
        leftovers.put_back(run)


def _require_a_database(name: str, run: Run) -> None:
    if is_offline():
        raise MigrationError(
            f"revision {run.revision} gives {name} another form, and how depends on what the database has",
            f"Run it: soulspot-db migrate --to {run.revision}",
            "Then print what follows it.",
            operation="migrate",
        )


def _look(temporary: str) -> None:
    bind = op.get_bind()
    if bind.exec_driver_sql("PRAGMA foreign_keys").scalar_one():
        # Dropping the old table would delete the rows that refer to it; deferring the constraints does not prevent it.
        raise MigrationError(
            "a table cannot be rebuilt while foreign keys are enforced",
            "Run the revisions with `soulspot-db migrate`; a revision with `data = True` cannot rebuild tables.",
            operation="migrate",
        )
    if sa.inspect(bind).has_table(temporary):
        raise MigrationError(
            f"the table {temporary} is in the way; it is not ours, because ours never outlive a transaction",
            f"Look at what is in it, then drop it: DROP TABLE {quoted(temporary)};",
            current_run().outcome,
            operation="migrate",
        )


def _refuse_strangers(name: str, strangers: Collection[str], run: Run) -> None:
    if strangers:
        listed = ", ".join(sorted(strangers))
        raise MigrationError(
            f"{name} has columns that no schema knows, and would lose them: {listed}",
            f"{run.outcome} Keep what is in them, then drop each: ALTER TABLE {quoted(name)} DROP COLUMN ...;",
            "Run `soulspot-db migrate` again. `soulspot-db check --database` finds such columns.",
            operation="migrate",
        )


def _with_rowid(table: sa.Table, name: str, columns: dict[str, str], rowid: str | None) -> dict[str, str]:
    """Keep the hidden row ids as well: full-text tables that somebody made refer to them."""
    keys = [str(column.type.compile(op.get_context().dialect)).upper() for column in table.primary_key]
    if rowid is None or rowid in columns or keys == ["INTEGER"]:
        return columns
    return {rowid: f"{quoted(name)}.{rowid}", **columns}


def _insert(name: str, temporary: str, columns: Mapping[str, str], where: str = "") -> str:
    # Names and expressions come from the revision.
    listed = ", ".join(map(quoted, columns))
    return f"INSERT INTO {quoted(temporary)} ({listed}) SELECT {', '.join(columns.values())} FROM {quoted(name)}{where}"  # noqa: S608


def _copy(run: Run, name: str, temporary: str, columns: Mapping[str, str]) -> None:
    """Copy in chunks, only so that progress can be told: SQLite keeps no more of them in memory than its cache."""
    bind = op.get_bind()
    rowid = Leftovers.rowid_of(bind, name)
    if rowid is None:
        bind.exec_driver_sql(_insert(name, temporary, columns))
        return
    total, done, start = _count(name), 0, _LEAST
    chunk = (
        f"SELECT max({rowid}), count(*) FROM (SELECT {rowid} FROM {quoted(name)} WHERE {rowid} >= ?"  # noqa: S608
        f" ORDER BY {rowid} LIMIT {_CHUNK})"
    )
    insert = _insert(name, temporary, columns, f" WHERE {rowid} BETWEEN ? AND ? ORDER BY {rowid}")
    while start <= _MOST:
        end, found = bind.exec_driver_sql(chunk, (start,)).one()
        if not found:
            return
        bind.exec_driver_sql(insert, (start, end))
        done, start = done + found, end + 1
        run.progress(f"rebuilding {name}", done, total)


def _compare(name: str, temporary: str, run: Run) -> None:
    before, after = _count(name), _count(temporary)
    if before != after:
        raise MigrationError(
            f"of {before:,} rows of {name}, {after:,} arrived in its new form",
            f"{run.outcome} Report this with the revision's file: {run.revision}.",
            operation="migrate",
        )


def _count(table: str) -> int:
    found: int = op.get_bind().exec_driver_sql(f"SELECT count(*) FROM {quoted(table)}").scalar_one()  # noqa: S608
    return found


@contextmanager
def _quiet_rename() -> Iterator[None]:
    """Rename without a look at what mentions the name: views would miss the old table, and stop everything."""
    before = 0 if is_offline() else op.get_bind().exec_driver_sql("PRAGMA legacy_alter_table").scalar_one()
    op.execute("PRAGMA legacy_alter_table = ON")
    yield  # after an error the connection is closed, and the pragma with it
    op.execute(f"PRAGMA legacy_alter_table = {before}")
