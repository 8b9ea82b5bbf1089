"""The table of checks."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from soulspot_db.engine.base import Engine
from soulspot_db.health import files, probes, surroundings
from soulspot_db.health.copies import last_backup
from soulspot_db.health.finding import Check, Finding
from soulspot_db.settings import DatabaseSettings

if TYPE_CHECKING:
    from soulspot_db.cache.tier import SecondTier

__all__ = ["checks_for"]

_LASTS = 10.0


def checks_for(
    settings: DatabaseSettings,
    engine: Engine,
    tier: "SecondTier | None",
    heads: Callable[[], Mapping[str, str]],
) -> list[Check]:
    """The checks that mean something for these settings, in the order in which they are shown.

    Args:
        settings: which database.
        engine: reads and writes it.
        tier: the second tier of the cache, if there is one.
        heads: the revision that each generated package needs.
    """
    is_file = settings.database_type == "sqlite"
    write = probes.can_write_file if is_file else probes.can_write_server
    checks = [
        Check("read", lambda: probes.can_read(engine), lambda: "a connection that reads"),
        Check("write", lambda: write(engine), partial(probes.turn_to_write, engine)),
        Check(
            "migration", lambda: surroundings.migration(engine, heads()), lambda: "the revision of the database", _LASTS
        ),
        Check("pool", lambda: surroundings.connections(engine), lambda: "the connections"),
        Check("backup", lambda: asyncio.to_thread(last_backup, settings), lambda: "the folder of the backups", _LASTS),
    ]
    if is_file:
        checks += [
            _of_file("file", lambda path: files.soundness(path, engine.met_damage), settings.database_path),
            _of_file("disk", files.disk, settings.database_path),
            _of_file("wal", files.write_ahead_log, settings.database_path),
        ]
    if tier is not None:
        checks.append(Check("redis", lambda: surroundings.redis(tier), lambda: "Redis"))
    return checks


def _of_file(name: str, look: Callable[[Path], Finding], path: Path) -> Check:
    return Check(name, lambda: asyncio.to_thread(look, path), lambda: "the disk", _LASTS)
