"""An archive of a PostgreSQL database, made and read by its own programs."""

import os
import shutil
import subprocess
from pathlib import Path

from soulspot_db.errors import ConfigurationError, ConnectionFailedError
from soulspot_db.settings import DatabaseSettings

__all__ = ["dump"]


def dump(settings: DatabaseSettings, path: Path) -> None:
    """Write all of the database as it is at one moment to `path`, for `pg_restore`, and look whether that can be read.

    Raises:
        ConfigurationError: its programs are not installed.
        ConnectionFailedError: they could not do it; says what they said.
    """
    hosts, ports, name = settings.servers
    where = ["--host", ",".join(hosts), "--port", ",".join(map(str, ports))]
    if settings.user is not None:
        where += ["--username", settings.user]
    _run(settings, "pg_dump", "--format", "custom", "--no-password", *where, "--file", str(path), "--dbname", name)
    _run(settings, "pg_restore", "--list", str(path))


def _run(settings: DatabaseSettings, program: str, *arguments: str) -> None:
    if (found := shutil.which(program)) is None:
        raise ConfigurationError(
            f"{program} is not installed, which comes with PostgreSQL and makes its backups",
            "Install PostgreSQL's programs for clients, of the server's version or newer.",
        )
    # In the environment, because everybody on the machine sees the arguments of its programs.
    password = {} if settings.password is None else {"PGPASSWORD": settings.password.get_secret_value()}
    done = subprocess.run(  # noqa: S603 - no shell, and no word of it comes from a stranger
        [found, *arguments],
        env={**os.environ, **password},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ConnectionFailedError(
            f"{program} could not back up {settings.address}: {said}",
            "Mend what it says, then try again: nothing was written.",
            operation="backup",
        )
