"""The table of all checks, in the order in which they are told."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from soulspot_db.doctor import (
    backups,
    cache,
    clock,
    disk,
    indexes,
    keys,
    permissions,
    revisions,
    rights,
    server,
    server_indexes,
    sessions,
    soundness,
    sqlite,
)
from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding

__all__ = ["AROUND", "DATABASE", "INSIDE", "Check"]


class Check(NamedTuple):
    """One thing to look at: its name, which does not change between versions, and what looks."""

    name: str
    look: Callable[[Case], Iterator[Finding]]


DATABASE = "database"
"""The first of all: whether it can be opened."""

_INSIDE_BOTH = (
    Check("migrations", revisions.revision),
    Check("structure", revisions.structure),
    Check("leftovers", revisions.leftovers),
    Check("missing_indexes", indexes.missing),
    Check("needless_indexes", indexes.needless),
)
_AROUND_BOTH = (
    Check("backup", backups.age),
    Check("encryption_keys", keys.encryption),
    Check("env_file", permissions.env_file),
    Check("cache", cache.memory),
    Check("redis", cache.redis),
)

INSIDE: Mapping[str, tuple[Check, ...]] = {
    "sqlite": (
        Check("integrity", soundness.integrity),
        Check("foreign_keys", soundness.foreign_keys),
        Check("strict", sqlite.strict),
        Check("journal_mode", sqlite.journal_mode),
        *_INSIDE_BOTH,
    ),
    "postgresql": (
        Check("server_version", server.version),
        Check("standby", server.standby),
        Check("encoding", server.encoding),
        Check("durability", server.durability),
        Check("server_clock", clock.of_server),
        Check("rights", rights.rights),
        Check("connections", sessions.connections),
        Check("timeouts", sessions.timeouts),
        Check("idle_transactions", sessions.idle_transactions),
        Check("pg_dump", backups.pg_dump),
        *_INSIDE_BOTH,
        Check("invalid_indexes", server_indexes.invalid),
        Check("unused_indexes", server_indexes.unused),
    ),
}
"""What is asked of the open database, by its type."""

AROUND: Mapping[str, tuple[Check, ...]] = {
    "sqlite": (
        Check("sqlite_version", sqlite.version),
        Check("permissions", permissions.files),
        Check("disk_space", disk.space),
        Check("file_system", disk.file_system),
        Check("wal_size", sqlite.wal_size),
        Check("clock", clock.of_file),
        *_AROUND_BOTH,
    ),
    "postgresql": _AROUND_BOTH,
}
"""What can be seen without opening it, by its type."""
