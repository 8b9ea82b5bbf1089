"""The sessions of a PostgreSQL server: how many there may be, what ends them, and which keep others waiting."""

from collections.abc import Iterator

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok

__all__ = ["connections", "idle_transactions", "timeouts"]

# What is reserved has another name as well since PostgreSQL 16.
_ROOM = """
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int,
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())),
    (SELECT count(*)::int FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'soulspot-db')
"""
_TIMES = """
SELECT name, reset_val, source FROM pg_settings
WHERE name IN ('lock_timeout', 'default_transaction_read_only', 'idle_session_timeout', 'transaction_timeout')
"""
_IDLE = """
SELECT pid, coalesce(usename::text, ''), coalesce(application_name, ''), extract(epoch FROM now() - state_change)::float8
FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND now() - state_change > $1 * interval '1 second'
ORDER BY state_change
"""


def connections(case: Case) -> Iterator[Finding]:
    """Whether the pool of one program fits into what the server has left for it."""
    room, others = case.ask(_ROOM)[0]
    wanted = case.settings.connection_pool_size + case.settings.max_overflow
    steps = (
        "Lower DATABASE_CONNECTION_POOL_SIZE and DATABASE_MAX_OVERFLOW.",
        "Or raise max_connections there, or the limit of the role or the database.",
    )
    if wanted > room:
        yield must(f"one program may open {wanted} connections, and the server has {room} for all", *steps)
    elif wanted + others > room:
        yield note(
            f"one program may open {wanted} connections; the server has {room} for all, and others use {others}", *steps
        )
    else:
        yield ok(f"{wanted} of {room}")


def timeouts(case: Case) -> Iterator[Finding]:
    """Whether the server keeps the times that each connection asks for, and no others that end its work."""
    settings = {name: (value, source) for name, value, source in case.ask(_TIMES)}
    user = case.ask("SELECT quote_ident(current_user)")[0][0]
    found = []
    if settings["lock_timeout"][1] != "client":
        found.append(
            note(
                "the time-outs that a connection asks for do not arrive: something in between leaves them out",
                f"ALTER ROLE {user} SET statement_timeout = ..., and the same for lock_timeout and idle_in_transaction_session_timeout",
                "See PgBouncer in https://docs.soulspot.app/configuration",
            )
        )
    if settings["default_transaction_read_only"][0] == "on":
        found.append(
            must(
                "every transaction only reads: default_transaction_read_only is on",
                f"ALTER ROLE {user} SET default_transaction_read_only = off;",
            )
        )
    found += [
        note(
            f"{name} is {settings[name][0]} ms, after which the server ends what is idle, or long, as a migration may be",
            f"ALTER ROLE {user} SET {name} = 0;",
        )
        for name in ("idle_session_timeout", "transaction_timeout")
        if settings.get(name, ("0", ""))[0] != "0"
    ]
    yield from found or [ok("the server keeps those of DATABASE_QUERY_TIMEOUT and the like")]


def idle_transactions(case: Case) -> Iterator[Finding]:
    """Sessions that have begun a transaction and do nothing: their locks stay, and old rows cannot be cleared away."""
    found = case.ask(_IDLE, case.settings.idle_transaction_timeout)
    for pid, user, program, seconds in found:
        yield note(
            f"session {pid} of {user}{f' ({program})' if program else ''} has been idle in a transaction for {seconds:,.0f} s: it keeps its locks",
            "End its transaction there.",
            f"In need: SELECT pg_terminate_backend({pid});",
        )
    if not found:
        yield ok("no transaction is idle")
