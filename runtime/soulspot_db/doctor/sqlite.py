"""SQLite itself: its version, and what it keeps of a database."""

from collections.abc import Iterator

from soulspot_db.copies.files import real_file
from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok
from soulspot_db.engine.sqlite.versions import HERE, OLDEST, Version, has_wal_reset_bug

__all__ = ["journal_mode", "strict", "version", "wal_size"]

_LARGE_WAL = 64_000_000  # bytes; SQLite moves its log into the file after some 4 MB


def version(_case: Case, here: Version = HERE) -> Iterator[Finding]:
    """Whether this Python's SQLite is new enough, and without the bug that several writers meet."""
    name = f"SQLite {'.'.join(map(str, here))}"
    if here < OLDEST:
        yield must(
            f"{name} is too old: it has no STRICT tables",
            f"Use a Python that brings SQLite {'.'.join(map(str, OLDEST))} or newer.",
        )
    elif has_wal_reset_bug(here):
        yield note(
            f"with {name}, two processes that write at the same moment can damage the file, which is rare",
            "Let one process write at a time; others may read.",
            "Or use a Python that brings SQLite 3.51.3 or newer, 3.50.7 or 3.44.6.",
        )
    else:
        yield ok(name)


def strict(case: Case) -> Iterator[Finding]:
    """Whether the tables refuse values of a wrong type."""
    loose = [name for name, table in case.found.items() if not table.strict]
    if loose:
        yield must(
            f"not STRICT, so that wrong types can be stored: {', '.join(loose)}",
            "Somebody made them by hand. Stop SoulSpot, make each anew as the schemas say, and copy its rows.",
            "`soulspot-db check --database` says what else is other than it should be.",
        )
    else:
        yield ok(f"{len(case.found)} tables refuse wrong types")


def journal_mode(case: Case) -> Iterator[Finding]:
    """Whether readers and the writer are out of each other's way."""
    ((mode,),) = case.ask("PRAGMA journal_mode")
    if mode == "wal":
        yield ok("WAL")
    else:
        yield note(
            f"the journal mode is {mode}: readers and the writer wait for each other",
            "Start SoulSpot, which sets WAL as soon as it may write.",
            "If SoulSpot runs, look for a program that sets another mode.",
        )


def wal_size(case: Case) -> Iterator[Finding]:
    """How much is in the write-ahead log, and not in the file yet."""
    path = real_file(case.settings.database_path)
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    told = f"{log.name} has {size / 1e6:,.1f} MB"
    if size < _LARGE_WAL:
        yield ok(told)
    else:
        yield note(
            f"{told}: somebody has been reading for so long that it cannot be moved into the file, or a very large write was made",
            f"Find who has the file open: fuser -v {path}. End read-only transactions sooner.",
            "It gets small again when nobody reads and SoulSpot is started anew. Never delete it: it holds data.",
        )
