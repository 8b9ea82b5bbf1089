"""An archive of a PostgreSQL database, made and read by its own programs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from soulspot_db.errors import ConfigurationError, ConnectionFailedError
from soulspot_db.settings import DatabaseSettings

__all__ = ["ARCHIVE", "dump", "dump_version", "revision_in", "undump"]

ARCHIVE = b"PGDMP"
"""How one begins."""
_NO_DATA = "\\."  # ends the rows of a table in an archive's text


def dump(settings: DatabaseSettings, path: Path) -> None:
    """Write all of the database as it is at one moment to `path`, for `pg_restore`, and look whether that can be read.

    Raises:
        ConfigurationError: its programs are not installed.
        ConnectionFailedError: they could not do it; says what they said.
    """
    where, name = _where(settings), settings.servers.name
    what = f"back up {settings.address}"
    _run(
        settings, what, "pg_dump", "--format", "custom", "--no-password", *where, "--file", str(path), "--dbname", name
    )
    _run(settings, what, "pg_restore", "--list", str(path))


def revision_in(settings: DatabaseSettings, path: Path, table: str) -> str | None:
    """What the only row of `table` in an archive says; None where it has no such table.

    Raises:
        ConfigurationError: `pg_restore` is not installed.
        ConnectionFailedError: the file is no archive, or damaged. All of it was read.
    """
    what = f"read {path}"
    _run(settings, what, "pg_restore", "--file", os.devnull, str(path))
    rows = _run(settings, what, "pg_restore", "--data-only", "--table", table, "--file", "-", str(path)).splitlines()
    start = next((number for number, line in enumerate(rows, 1) if line.startswith("COPY ")), len(rows))
    found = rows[start] if start < len(rows) else _NO_DATA
    return None if found == _NO_DATA else found


def undump(settings: DatabaseSettings, path: Path) -> None:
    """Bring what is in an archive into an empty database, all or nothing; DATABASE_USER owns it then.

    Raises:
        ConfigurationError: `pg_restore` is not installed.
        ConnectionFailedError: it could not do it; says what it said.
    """
    how = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-password"]
    where = [*_where(settings), "--dbname", settings.servers.name]
    _run(settings, f"restore {settings.address}", "pg_restore", *how, *where, str(path))


def _where(settings: DatabaseSettings) -> list[str]:
    hosts, ports, _name = settings.servers
    where = ["--host", ",".join(hosts), "--port", ",".join(map(str, ports))]
    return where if settings.user is None else [*where, "--username", settings.user]


def dump_version() -> int | None:
    """The major version of the `pg_dump` that is installed here; None where there is none."""
    if (found := shutil.which("pg_dump")) is None:
        return None
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - as above
    match = re.search(r" (\d+)", done.stdout)
    return int(match[1]) if match else None


def _run(settings: DatabaseSettings, what: str, program: str, *arguments: str) -> str:
    if (found := shutil.which(program)) is None:
        raise ConfigurationError(
            f"{program} is not installed, which comes with PostgreSQL and makes and reads its backups",
            "Install PostgreSQL's programs for clients, of the server's version or newer.",
        )
    # In the environment, because everybody on the machine sees the arguments of its programs.
    password = {} if settings.password is None else {"PGPASSWORD": settings.password.get_secret_value()}
    done = subprocess.run(  # noqa: S603 - no shell, and no word of it comes from a stranger
        [found, *arguments],
        env={**os.environ, **password},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ConnectionFailedError(
            f"{program} could not {what}: {said}",
            "Mend what it says, then try again: nothing was written.",
            operation=what.partition(" ")[0],
        )
    return done.stdout.decode(errors="replace")
