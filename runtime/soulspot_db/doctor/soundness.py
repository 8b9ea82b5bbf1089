"""Whether a SQLite file is sound: its pages, and what its rows refer to."""

from collections.abc import Iterator

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, ok
from soulspot_db.errors import ConnectionFailedError
from soulspot_db.language.conditions import quoted

__all__ = ["foreign_keys", "integrity"]

_MOST = 3  # faults that are told
_ORPHANS = 'SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 1, 2'


def integrity(case: Case) -> Iterator[Finding]:
    """Every page and every index entry; it takes as long as to read the whole file."""
    found = [str(text) for (text,) in case.ask(f"PRAGMA integrity_check({_MOST})")]
    if found != ["ok"]:
        raise ConnectionFailedError(
            f"the file is damaged: {'; '.join(' '.join(text.split()) for text in found)}",
            "Stop SoulSpot, and leave the file as it is, with its -wal and -shm.",
            "Look at the disk, and at what other programs write the file.",
            database_path=case.settings.address,
            damaged=True,
        )
    yield ok("every page and every index is sound")


def foreign_keys(case: Case) -> Iterator[Finding]:
    """Rows that refer to a row that is not there."""
    found = case.ask(_ORPHANS)
    if not found:
        yield ok("every row that is referred to is there")
    for table, parent, count in found:
        yield must(
            f"{count:,} row{'' if count == 1 else 's'} of {table} refer to rows of {parent} that are not there",
            f"Find them: PRAGMA foreign_key_check({quoted(table)})",
            "Delete them, or bring back what they refer to.",
            "Look for the program that wrote them: it left out PRAGMA foreign_keys = ON, and SoulSpot never does.",
        )
