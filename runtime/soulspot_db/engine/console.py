"""SQL that only reads, in the schema's names: what a console shows of each table, and what it answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from soulspot_db.errors import DatabaseError, QueryFailedError
from soulspot_db.language.conditions import Dialect, quoted, sql_text
from soulspot_db.language.sql_tokens import tokens

__all__ = [
    "HIDDEN",
    "Answer",
    "Column",
    "Console",
    "Shown",
    "View",
    "in_console",
    "only_reads",
    "require_reading",
    "views_of",
]

HIDDEN = "•••"
"""What is shown in the place of a value of a `sensitive` or `encrypted` field."""
_READING = ("select", "with", "values", "explain", "table", "show", "pragma")


class Column(NamedTuple):
    """One column of a table, as the database has it."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement has found; `more` says that there are rows beyond those that were wanted."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An entity as a console has it: its table, the fields by their columns, and the columns that are hidden."""

    name: str
    table: str
    fields: Mapping[str, str]
    hidden: frozenset[str]


class View(NamedTuple):
    """A view for one session, and what it selects."""

    name: str
    sql: str


class Console(Protocol):
    """An open connection on which nothing can be written."""

    @property
    def tables(self) -> Mapping[str, Sequence[Column]]:
        """The tables that there are, with their columns."""
        ...

    async def run(self, sql: str, limit: int | None) -> Answer:
        """Run one statement that reads; cancelled, it is stopped.

        Args:
            sql: the statement.
            limit: how many rows are wanted at most.

        Raises:
            QueryFailedError: it would write, or is refused.
            QueryTimeoutError: it ran longer than `query_timeout`.
        """
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


def views_of(shown: Sequence[Shown], tables: Mapping[str, Sequence[Column]], schema: str) -> Iterator[View]:
    """A view for each entity whose table is there, under the entity's name and its table's, without what is hidden.

    Args:
        shown: the entities.
        tables: what is there; a database may be behind the code, and lack tables and columns.
        schema: of the tables, by which a view of the same name finds them.
    """
    names = {entity.name for entity in shown}
    for entity in shown:
        columns = [column.name for column in tables.get(entity.table, ())]
        if not columns:
            continue
        yield _view(entity.name, entity, {column: entity.fields.get(column, column) for column in columns}, schema)
        if entity.table not in names:
            yield _view(entity.table, entity, {column: column for column in columns}, schema)


def _view(name: str, entity: Shown, labels: Mapping[str, str], schema: str) -> View:
    listed = ", ".join(
        f"{sql_text(HIDDEN) if column in entity.hidden else quoted(column)} AS {quoted(label)}"
        for column, label in labels.items()
    )
    return View(name, f"SELECT {listed} FROM {quoted(schema)}.{quoted(entity.table)}")  # noqa: S608 - names of the schema


def require_reading(sql: str, dialect: Dialect) -> None:
    """Refuse a statement that does not begin as one that reads; what it does later the database itself refuses.

    Raises:
        QueryFailedError: it does not.
    """
    first = next((token for token in tokens(sql, dialect) if token.kind != "space" and token.text != "("), None)
    if first is None or first.word not in _READING:
        raise only_reads(f"{first.text if first else 'nothing'} is not how a statement begins that reads")


def only_reads(reason: str) -> QueryFailedError:
    """The error for a statement that would write."""
    return QueryFailedError(
        f"nothing can be written here: {reason}",
        "Write through repositories, which check what is stored, and tell the cache and events of it.",
    )


def in_console(error: DatabaseError) -> DatabaseError:
    """The same error for who types a statement: a name that is not there is a slip, and no table that was not migrated."""
    if type(error) is not QueryFailedError:
        return error
    told = QueryFailedError(
        error.message, "`.tables` lists what there is, `.schema NAME` the fields of one.", **error.context
    )
    return told.with_traceback(error.__traceback__)
