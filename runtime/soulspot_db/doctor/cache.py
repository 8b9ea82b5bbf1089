"""What is kept in memory, and the Redis that several instances share."""

import asyncio
import time
from collections.abc import Awaitable, Iterator

from soulspot_db.cache.batch import Batch, UnreachableError
from soulspot_db.cache.second import make_connection
from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok
from soulspot_db.settings import DatabaseSettings

__all__ = ["memory", "redis"]

_PATIENCE = 2.0  # seconds
_SLOW = 0.01  # seconds for an answer; from 0.05 on, reads do not wait for it any more
_TRIES = 5


def memory(case: Case) -> Iterator[Finding]:
    """Whether anything is kept in memory at all."""
    settings = case.settings
    if settings.cache_max_size == 0:
        yield note(
            "the cache is off for all entities: DATABASE_CACHE_MAX_SIZE is 0", "Leave it out, and the default is 1000."
        )
    elif settings.database_type == "postgresql" and settings.redis is None and not settings.single_instance:
        yield note(
            "the cache is off: on PostgreSQL nothing is kept in memory, because nobody tells one program what another writes",
            "If this program alone writes the database: DATABASE_SINGLE_INSTANCE=true",
            "If several do: CACHE=host:6379/0, a Redis that all of them name.",
        )
    else:
        yield ok("answers are kept in memory" + ("" if settings.redis is None else ", and in Redis"))


def redis(case: Case) -> Iterator[Finding]:
    """Whether Redis can be used, has room, and is near."""
    if case.settings.redis is None:
        yield ok("CACHE is not set")
    else:
        yield from asyncio.run(_asked(case.settings, case.settings.redis))


async def _asked(settings: DatabaseSettings, address: str) -> list[Finding]:
    connection = make_connection(settings)
    try:
        async with asyncio.timeout(_PATIENCE):
            await connection.check("")
            limit, policy = await connection.room()
            seconds = min([await _answered(connection.run(Batch(wants_size=True))) for _ in range(_TRIES)])
    except (UnreachableError, TimeoutError) as error:
        return [
            must(
                f"Redis at {address} cannot be reached: {str(error) or 'no answer in time'}",
                "Start it, or correct CACHE. Until then SoulSpot reads from the database.",
            )
        ]
    finally:
        await connection.close()
    return [*_room(address, limit, policy), *_near(address, seconds)] or [ok(f"{address}, {seconds * 1000:.1f} ms")]


async def _answered(question: Awaitable[object]) -> float:
    began = time.perf_counter()
    await question
    return time.perf_counter() - began


def _room(address: str, limit: int, policy: str) -> Iterator[Finding]:
    set_policy = "In its configuration: maxmemory-policy allkeys-lru"
    if not limit:
        yield note(
            f"Redis at {address} has no maxmemory: it grows until the machine has none left",
            "In its configuration: maxmemory 256mb, or as much as you have",
            set_policy,
        )
    elif policy == "noeviction":
        yield note(f"Redis at {address} keeps nothing new once its maxmemory is used up (noeviction)", set_policy)


def _near(address: str, seconds: float) -> Iterator[Finding]:
    if seconds > _SLOW:
        yield note(
            f"Redis at {address} takes {seconds * 1000:.0f} ms to answer, which every look at it waits for",
            "Run it in the same network as SoulSpot, and look at what else it does: redis-cli --latency",
        )
