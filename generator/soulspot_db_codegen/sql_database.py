"""What SQLite knows of a statement: a database in memory with the tables of a project, in which nothing is ever run."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from soulspot_db.language.conditions import quoted
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.nearest import nearest
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.sql_statement import SqlError, SqlStatement
from soulspot_db.language.sql_tokens import Token
from soulspot_db.language.table import describe, index_sql

__all__ = ["SqlDatabase"]

_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE})
_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_FORBIDDEN = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
# SQLite registers these in the schema when they are first met, which would look like a write.
_FUNCTIONS = ("json_each", "json_tree")
_VIEW = "soulspot_db_selected"  # which no table can be called
_UNREAD = re.compile(r'near "(?P<text>.+)": syntax error')
_UNKNOWN = re.compile(r"no such (?P<what>column|table): (?P<name>.+)")


@dataclass(slots=True)
class _Access:
    """The tables that a statement reads, and why it does what no query may do."""

    reads: set[str] = field(default_factory=set)
    refused: str | None = None


class SqlDatabase:
    """A database in memory. Use `opened`."""

    def __init__(self, connection: sqlite3.Connection, specs: Iterable[EntitySpec]) -> None:
        self._connection = connection
        self._columns = dict[str, tuple[str, FieldSpec]]()
        for spec in specs:
            self._create(spec)
        for name in _FUNCTIONS:
            connection.execute(f"SELECT * FROM {name}('1')").fetchall()  # noqa: S608 - one of ours
        self.tables = frozenset(table for table, _ in self._columns.values())

    @classmethod
    @contextmanager
    def opened(cls, specs: Iterable[EntitySpec]) -> Iterator["SqlDatabase"]:
        """A database with the tables of these entities."""
        with closing(sqlite3.connect(":memory:")) as connection:
            yield cls(connection, specs)

    def _create(self, spec: EntitySpec) -> None:
        table = describe(spec, None)
        columns = []
        for each in spec.fields.values():
            # What SQLite repeats as the type of a column is text of any kind, so it can say where a value comes from.
            origin = f"origin {len(self._columns)}"
            self._columns[origin] = (spec.table_name, each)
            columns.append(f"{quoted(each.column)} {quoted(origin)}")
        key = ", ".join(map(quoted, table["primary_key"]))
        self._connection.execute(f"CREATE TABLE {quoted(spec.table_name)} ({', '.join(columns)}, PRIMARY KEY ({key}))")
        for index in table["indexes"]:
            if index["unique"]:  # which ON CONFLICT can name
                self._connection.execute(index_sql(spec.table_name, index))

    def reads(self, statement: SqlStatement) -> set[str]:
        """The tables that the statement reads.

        Raises:
            SqlError: it is wrong, or does what no query may do.
        """
        found = _Access()
        sql = "".join(map(_strict, statement.pieces))
        self._connection.set_authorizer(self._authorizer(found))
        try:
            self._connection.execute(f"EXPLAIN {sql}", dict.fromkeys(statement.params)).fetchall()
        except sqlite3.Error as error:
            hint = _list_hint(statement, str(error)) or self._hint(str(error))
            raise SqlError(found.refused or f"SQLite says: {error}", hint) from None
        finally:
            self._connection.set_authorizer(None)
        return found.reads

    def origins(self, statement: SqlStatement) -> list[tuple[str, FieldSpec] | None]:
        """The table and the field that each value that a SELECT selects comes from; None for what is made of several, or of none."""
        sql = "".join("NULL" if piece.kind == "param" else piece.text for piece in statement.pieces)
        try:
            self._connection.execute(f"CREATE TEMP VIEW {_VIEW} AS {sql}")
            rows = self._connection.execute(f"PRAGMA table_info({_VIEW})").fetchall()
        except sqlite3.Error as error:
            raise SqlError(f"SQLite says: {error}") from None
        finally:
            self._connection.execute(f"DROP VIEW IF EXISTS {_VIEW}")
        return [self._columns.get(kind) for _, _, kind, *_ in rows]

    def _authorizer(self, found: _Access) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
        def authorize(action: int, one: str | None, other: str | None, *_: str | None) -> int:
            name = one or ""
            if action in _READS or (action == sqlite3.SQLITE_FUNCTION and other not in _FORBIDDEN):
                return sqlite3.SQLITE_OK
            if action == sqlite3.SQLITE_READ and name in {*self.tables, *_FUNCTIONS}:
                found.reads |= {name} & self.tables
            elif action not in _WRITES or name not in self.tables:
                found.refused = _refusal(action, name, other)
                return sqlite3.SQLITE_DENY
            return sqlite3.SQLITE_OK

        return authorize

    def _hint(self, message: str) -> str | None:
        unknown = _UNKNOWN.fullmatch(message)
        if unknown is None:
            return None
        name = unknown["name"].rpartition(".")[2]
        if unknown["what"] == "table":
            return nearest(name, self.tables) or "a query names tables as the database does: see 'table_name'"
        return nearest(name, {each.column for _, each in self._columns.values()})


def _list_hint(statement: SqlStatement, message: str) -> str | None:
    """How a list is given, where one parameter stands as all of it."""
    unread = _UNREAD.fullmatch(message)
    pairs = [(before.word, after.text) for before, after in pairwise(statement.marks) if after.kind == "param"]
    if unread is None or ("in", unread["text"]) not in pairs:
        return None
    return f"a list is one value, which is JSON: write IN (SELECT value FROM json_each({unread['text']}))"  # noqa: S608 - it is only said


def _strict(piece: Token) -> str:
    # A name in double quotes that SQLite does not know it takes for a string; not so one in brackets.
    return f"[{piece.name}]" if piece.text.startswith('"') and "]" not in piece.name else piece.text


def _refusal(action: int, one: str, other: str | None) -> str:
    if action == sqlite3.SQLITE_FUNCTION:
        return f"the function {other} is not for queries"
    return f"{one!r} is no table of the schemas" if action == sqlite3.SQLITE_READ else f"{one!r} is not for queries"
