"""A PostgreSQL server: what it is, and what it promises."""

from collections.abc import Iterator

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok

__all__ = ["durability", "encoding", "standby", "version"]

_LEAST, _MENDED = 12, 14
_UNSAFE = ("fsync", "full_page_writes")


def version(case: Case) -> Iterator[Finding]:
    """Whether it is new enough, and still gets repairs."""
    told, number = case.ask("SELECT current_setting('server_version'), current_setting('server_version_num')::int")[0]
    major = number // 10_000
    if major < _LEAST:
        yield must(f"PostgreSQL {told} is too old", f"Use PostgreSQL {_MENDED} or newer.")
    elif major < _MENDED:
        yield note(f"PostgreSQL {told} gets no repairs any more", f"Use PostgreSQL {_MENDED} or newer.")
    else:
        yield ok(f"PostgreSQL {told}")


def standby(case: Case) -> Iterator[Finding]:
    """Whether it takes writes."""
    if case.ask("SELECT pg_is_in_recovery()")[0][0]:
        yield must(
            f"{case.settings.address} is a standby, which takes no writes",
            "Name the primary in DATABASE, or all servers, separated by commas.",
        )
    else:
        yield ok("it is no standby")


def encoding(case: Case) -> Iterator[Finding]:
    """Whether every text can be stored."""
    asked = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
    found = str(case.ask(asked)[0][0])
    if found == "UTF8":
        yield ok(found)
    else:
        yield must(
            f"the database has the encoding {found}, in which not every text can be stored",
            "Make another one with --encoding=UTF8 --template=template0, and move the rows: pg_dump, pg_restore.",
        )


def durability(case: Case) -> Iterator[Finding]:
    """Whether a write that returned survives a crash, and the database."""
    off = {name for (name,) in case.ask(f"SELECT name FROM pg_settings WHERE name IN {_UNSAFE} AND setting = 'off'")}  # noqa: S608
    if off:
        yield must(
            f"{' and '.join(sorted(off))} {'is' if len(off) == 1 else 'are'} off: after a crash of the machine the whole database can be lost",
            *(f"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf();" for name in sorted(off)),
        )
    if case.ask("SHOW synchronous_commit")[0][0] == "off":
        name = case.ask("SELECT quote_ident(current_database())")[0][0]
        yield note(
            "synchronous_commit is off: the last writes before a crash of the server can be missing",
            f"If that is not wanted: ALTER DATABASE {name} SET synchronous_commit = on;",
        )
    elif not off:
        yield ok("writes that returned survive a crash")
