"""How old the newest backup is, and what makes one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from soulspot_db.copies.names import last_backup
from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok
from soulspot_db.engine.postgresql.dump import dump_version

__all__ = ["age", "pg_dump"]

_OLD = timedelta(days=7)


def age(case: Case) -> Iterator[Finding]:
    """The newest copy in DATABASE_BACKUP_PATH; where that is unset, the newest that a migration has made."""
    folder, copy = case.settings.backup_path, last_backup(case.settings)
    nightly = f"Have it run every night: soulspot-db backup {folder or 'FOLDER'} --keep 7"
    if folder is not None and not folder.is_dir():
        yield must(f"there is no folder {folder}, which DATABASE_BACKUP_PATH names", f"mkdir -p {folder}", nightly)
        return
    told = "there is none" if copy is None else f"the newest is {copy[0]}, of {copy[1]:%Y-%m-%d %H:%M}"
    if folder is None:
        by_migrations = f"; of those made before a migration, {told}" if copy is not None else ""
        yield note(
            f"DATABASE_BACKUP_PATH is unset, so nobody can say how old the newest backup is{by_migrations}",
            nightly,
            "Set DATABASE_BACKUP_PATH to that folder.",
        )
    elif copy is None or datetime.now(UTC) - copy[1] > _OLD:
        yield note(told if copy is None else f"{told}, older than {_OLD.days} days", nightly)
    else:
        yield ok(told)


def pg_dump(case: Case) -> Iterator[Finding]:
    """Whether the program that makes backups is there, and not older than the server."""
    server, here = int(case.ask("SHOW server_version_num")[0][0]) // 10_000, dump_version()
    install = f"Install PostgreSQL's programs for clients in version {server} or newer."
    if here is None:
        yield note("pg_dump is not installed here, which `soulspot-db backup` needs", install)
    elif here < server:
        yield note(f"pg_dump {here} makes no backup of PostgreSQL {server}, which is newer", install)
    else:
        yield ok(f"pg_dump {here}")
