"""What a revision looks at before it changes anything: rows that must not be there, and rows that lose something."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

from soulspot_db.errors import MigrationError
from soulspot_db.migrations.run import Run, current_run, is_offline

__all__ = ["First", "first"]

_EXAMPLES = 5
_NAME = r'(?:"(?:[^"]|"")*"|[^\W\d]\w*)'
# A table's name behind FROM or JOIN; text and other quoted names are passed over, whatever is in them.
_TABLE = re.compile(rf"'(?:[^']|'')*'|\b(?:FROM|JOIN)\s+({_NAME}(?:\.{_NAME})?)|{_NAME}", re.IGNORECASE)
# FROM stands before other things than tables, too.
_TABLES = """
SELECT DISTINCT c.oid::regclass::text FROM unnest($1::text[]) AS name JOIN pg_class c ON c.oid = to_regclass(name)
WHERE c.relkind IN ('r', 'p') ORDER BY 1
"""


class First:
    """Collects what is wrong, so that all of it is told at once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._problems: list[str] = []
        self._steps: list[str] = []

    def refuse(self, what: str, keys: str, *, dialect: str | None = None) -> None:
        """Rows that the revision cannot deal with.

        Args:
            what: continues "3 rows ", such as "of tracks whose title is missing".
            keys: a SELECT of their keys; nothing else of a row is ever shown.
            dialect: the database that is meant, if it is not meant for all.
        """
        if dialect not in {None, op.get_context().dialect.name}:
            return
        if is_offline():
            _comment(f"must find nothing, rows {what}: {keys}")
            return
        found = _count(keys)
        if found:
            rows = op.get_bind().exec_driver_sql(f"SELECT * FROM ({keys}) AS found LIMIT {_EXAMPLES}").fetchall()  # noqa: S608
            examples = ", ".join(",".join(str(part) for part in row) for row in rows)
            more = ", ..." if found > len(rows) else ""
            self._problems.append(f"there {_are(found)} {what} ({examples}{more})")
            self._steps.append(f"Correct or delete the {_rows(found)} {what}. They are found by: {keys};")

    def loses(self, what: str, rows: str, *, dialect: str | None = None) -> None:
        """Something that is lost with this revision, if there is any of it.

        Args:
            what: such as "the values of rating of tracks".
            rows: a SELECT that finds the rows that have some.
            dialect: the database that is meant, if it is not meant for all.
        """
        if dialect not in {None, op.get_context().dialect.name}:
            return
        if is_offline():
            _comment(f"loses {what}: {rows}")
            return
        found = _count(rows)
        # A fresh database has none, and needs nobody's consent.
        if found and self._run.revision not in self._run.allowed:
            self._problems.append(f"{what} would be lost, in {_rows(found)}")

    def end(self) -> None:
        """Raise what was found.

        Raises:
            MigrationError: if there is anything.
        """
        if not self._problems:
            return
        run = self._run
        steps = [*run.way_there, *self._steps] if self._steps else []
        if len(self._problems) > len(self._steps):
            steps.append(f"To agree to the loss: {run.consent_to(run.revision)}")
        done = "applied" if run.is_up else "undone"
        message = f"revision {run.revision} cannot be {done}: {'; '.join(self._problems)}"
        raise MigrationError(message, *steps, run.outcome, operation="migrate", revision=run.revision)


@contextmanager
def first() -> Iterator[First]:
    """Look at the data before anything is changed; where the block ends, all problems are raised as one error."""
    looked = First(current_run())
    yield looked
    looked.end()


def _count(select: str) -> int:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        names = list(filter(None, _TABLE.findall(select)))
        # What is found must still be true when the tables are changed.
        if tables := bind.exec_driver_sql(_TABLES, (names,)).scalars().all():
            bind.exec_driver_sql(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE")
    found: int = bind.exec_driver_sql(f"SELECT count(*) FROM ({select}) AS found").scalar_one()  # noqa: S608
    return found


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return f"{'is' if count == 1 else 'are'} {_rows(count)}"


def _comment(text: str) -> None:
    op.get_context().impl.static_output("-- " + " ".join(text.split()))
