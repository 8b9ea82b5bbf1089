"""A SQLite connection for a person who looks: read-only by a pragma, and by what a statement may do."""

import asyncio
import sqlite3
import time
from collections.abc import Mapping, Sequence

from soulspot_db.engine.console import Answer, Column, Shown, in_console, only_reads, require_reading, views_of
from soulspot_db.engine.errors import ran_too_long
from soulspot_db.engine.sqlite.errors import translate, with_newest_copy, wrong_path
from soulspot_db.engine.sqlite.look import connect_to_look
from soulspot_db.errors import DatabaseError, QueryFailedError
from soulspot_db.language.conditions import quoted
from soulspot_db.language.sql_tokens import tokens
from soulspot_db.settings import DatabaseSettings

__all__ = ["SQLiteConsole"]

_STEPS = 10_000  # of SQLite's virtual machine between two looks at the clock
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}
_TOLD = {  # by pragmas that take the name of something, or nothing
    *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"),
    *("integrity_check", "quick_check", "foreign_key_check"),
}
_VALUES = {  # of pragmas that would set them if they were given one
    *(
        "application_id",
        "auto_vacuum",
        "collation_list",
        "compile_options",
        "database_list",
        "encoding",
        "freelist_count",
    ),
    *("function_list", "journal_mode", "page_count", "page_size", "schema_version", "user_version"),
}
_JOINS = {"using", "natural"}
_SAMPLES = {"sqlite_stat3", "sqlite_stat4", "sqlite_dbpage"}  # hold values of columns, or pages
_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"


class SQLiteConsole:
    """Runs statements that read, in a thread.

    Args:
        settings: which file, and how long a statement may run.
        shown: the entities; what is hidden of them cannot be read from their tables either, which have null there.

    Raises:
        ConnectionFailedError: there is no such file, or it is no database.
    """

    def __init__(self, settings: DatabaseSettings, shown: Sequence[Shown]) -> None:
        self._settings = settings
        self._path = str(settings.database_path)
        self._hidden = {(entity.table, column) for entity in shown for column in entity.hidden}
        self._deadline = float("inf")
        self._is_stopped = self._was_late = False
        self._raw = self._connect()
        try:
            self._tables = {str(name): self._columns(str(name)) for (name,) in self._raw.execute(_TABLES).fetchall()}
            for view in views_of(shown, self._tables, "main"):
                self._raw.execute(f"CREATE TEMP VIEW {quoted(view.name)} AS {view.sql}")
            self._raw.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            self._raw.close()
            raise self._told(error, _TABLES) from error
        self._raw.set_authorizer(self._authorize)
        self._raw.set_progress_handler(self._should_stop, _STEPS)

    def _connect(self) -> sqlite3.Connection:
        if wrong := wrong_path(self._path):
            raise wrong
        raw = connect_to_look(
            self._settings.database_path, patience=self._settings.pool_timeout, check_same_thread=False
        )
        raw.execute("PRAGMA query_only = OFF")  # until the views are made, which are this connection's own
        return raw

    def _columns(self, table: str) -> list[Column]:
        found = self._raw.execute('SELECT name, type, "notnull" FROM pragma_table_info(?)', (table,))
        return [Column(str(name), str(kind), not required) for name, kind, required in found]

    @property
    def tables(self) -> Mapping[str, Sequence[Column]]:
        """The tables that there are, with their columns."""
        return self._tables

    async def run(self, sql: str, limit: int | None) -> Answer:
        """Run one statement that reads; cancelled, it is stopped."""
        require_reading(sql, "sqlite")
        if self._hidden and any(token.word in _JOINS for token in tokens(sql, "sqlite")):
            # SQLite does not ask what may be read of columns that a join names.
            raise only_reads("USING and NATURAL could compare what is hidden; join with ON")
        self._is_stopped = False
        work = asyncio.ensure_future(asyncio.to_thread(self._run, sql, limit))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._is_stopped = True
            await asyncio.wait([work])
            raise

    def _run(self, sql: str, limit: int | None) -> Answer:
        self._deadline, self._was_late = time.monotonic() + self._settings.query_timeout, False
        try:
            cursor = self._raw.execute(sql)
            rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
            columns = [str(name) for name, *_ in cursor.description or ()]
            cursor.close()
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._told(error, sql) from error
        except UnicodeError as error:
            raise QueryFailedError("the statement is not UTF-8", "Write it in UTF-8.", query=ascii(sql)) from error
        finally:
            self._deadline = float("inf")
        return Answer(columns, rows[:limit], limit is not None and len(rows) > limit)

    def _should_stop(self) -> bool:
        self._was_late = time.monotonic() > self._deadline
        return self._was_late or self._is_stopped

    def _told(self, error: Exception, sql: str) -> DatabaseError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if self._was_late:
            return ran_too_long(self._settings.query_timeout, sql)
        if code in {sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY}:
            return only_reads(str(error))
        if isinstance(error, (sqlite3.ProgrammingError, sqlite3.Warning)):  # which the module itself raises
            return QueryFailedError(str(error), "Write one statement at a time, without parameters.", query=sql)
        if code == sqlite3.SQLITE_ERROR and str(error).endswith("because it is a view"):
            return only_reads(str(error))
        return with_newest_copy(in_console(translate(error, sql, self._path)), self._settings)

    def _authorize(  # noqa: PLR0911 - one for each kind
        self, action: int, what: str | None, which: str | None, database: str | None, _inside: str | None
    ) -> int:
        if action in _ALLOWED:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            if database == "temp":
                return sqlite3.SQLITE_OK
            if what in _SAMPLES:
                return sqlite3.SQLITE_DENY
            return sqlite3.SQLITE_IGNORE if (what, which) in self._hidden else sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if which == "load_extension" else sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and (what in _TOLD or (what in _VALUES and which is None)):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    async def close(self) -> None:
        """Disconnect."""
        self._raw.close()
