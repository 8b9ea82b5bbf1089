"""From what fails while a connection is made to an error that says why, and what to do about it."""

import asyncio
import errno
import os
import re
import shlex
import socket
import ssl

import asyncpg

from soulspot_db.engine.postgresql.connection import named, user_of
from soulspot_db.engine.postgresql.errors import exhausted
from soulspot_db.errors import ConnectionFailedError, DatabaseError
from soulspot_db.settings import DatabaseSettings

__all__ = ["not_connected"]

_SHUTTING = {"57P01", "57P02", "57P03"}
# asyncio puts the failures of several addresses of one host into the text of one error.
_NUMBER = re.compile(r"\[Errno (\d+)\]")
_TLS = "For TLS: the server must offer what PGSSLMODE asks for, and PGSSLROOTCERT name who has signed its certificate."
_RUNS = "Check that the server runs, and that DATABASE has its host and port."


def not_connected(error: BaseException, settings: DatabaseSettings) -> DatabaseError:
    """The error for what the driver raised while it connected."""
    code = getattr(error, "sqlstate", None) or ""
    if code.startswith("53"):
        return exhausted(code, settings.address, "connect")
    if isinstance(error, asyncpg.PostgresError) and not code.startswith("08"):
        message, *steps = _refused(error, code, settings)
    else:
        reason, *steps = _unreachable(error, settings)
        message = f"the server at {settings.address} cannot be reached: {reason}"
    return ConnectionFailedError(message, *steps, database_path=settings.address)


def _refused(error: asyncpg.PostgresError, code: str, settings: DatabaseSettings) -> tuple[str, ...]:
    """What the server says, and the way out. It repeats no password."""
    server, user, says = f"the server at {settings.address}", user_of(settings), getattr(error, "message", "")
    (host, *_), (port, *_), name = settings.servers
    where = ["-h", host, "-p", str(port)]
    if code == "3D000":
        command = ["createdb", *where, *(["-U", settings.user] if settings.user else []), name]
        return f"there is no database {name!r} at {settings.address}", f"Create it: {shlex.join(command)}"
    if code in _SHUTTING:
        return f"{server} is starting up or shutting down: {says}", "Try again in a moment."
    if code == "42501":
        grant = f"GRANT CONNECT ON DATABASE {named(name)} TO {named(user)};"
        return f"{server} refuses the user {user!r}: {says}", f"Have the owner say: {grant}"
    if code.startswith("28"):
        return f"{server} refuses the user {user!r}: {says}", *_credentials(user, where, settings)
    return f"{server} refuses the connection: {says}", "Correct what it names; its log may say more."


def _credentials(user: str, where: list[str], settings: DatabaseSettings) -> tuple[str, ...]:
    unset = [f"DATABASE_{name} is unset" for name in ("USER", "PASSWORD") if not getattr(settings, name.lower())]
    return (
        "Correct DATABASE_USER and DATABASE_PASSWORD" + (f"; {' and '.join(unset)}." if unset else "."),
        f"If there is no such role: {shlex.join(['createuser', *where, '-U', 'postgres', '--pwprompt', user])}",
        "If pg_hba.conf has no entry for it, add one on the server, and reload it.",
    )


def _unreachable(error: BaseException, settings: DatabaseSettings) -> tuple[str, ...]:  # noqa: PLR0911 - one for each kind
    """Why there is no way to the server, and what to look at."""
    (folder, *_), (port, *_), _ = settings.servers
    if isinstance(error, socket.gaierror):
        return "no address is known for the name of the host", "Correct the host in DATABASE, or what resolves names."
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return "it does not answer", _RUNS, "Look for a firewall in between."
    if isinstance(error, FileNotFoundError):
        if not folder.startswith("/"):
            return "a certificate or key is not where PGSSLROOTCERT, PGSSLCERT or PGSSLKEY says", _TLS
        file = f".s.PGSQL.{port}"
        return (
            f"there is no socket {file} in {folder}",
            "Check that the server runs, its port and its unix_socket_directories.",
        )
    if isinstance(error, asyncpg.PostgresError):
        return "it closed the connection", "Look into its log.", "Or is that port another program's?"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}", _TLS
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        numbers = {error.errno} if error.errno else set(map(int, _NUMBER.findall(str(error))))
        if numbers == {errno.ECONNREFUSED}:
            return "nothing listens there", _RUNS, "On another machine it must listen there: listen_addresses."
        if numbers:
            return ", ".join(sorted(os.strerror(number).lower() for number in numbers)), _RUNS
    reason = str(error).partition("\n")[0] or "it does not talk as PostgreSQL does"
    return reason, _TLS, _RUNS
