"""Old answers: every kind of write against what two instances have in their caches, on PostgreSQL and Redis, side by side.

Each cell is how many of four reads (a row and a list, of the table that is written and of one that refers to it) were not what
the database says a tenth of a second after the write was acknowledged: in the program that wrote, and in the other one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import asyncpg
from place import PostgresqlPlace
from redis_servers import RedisServer, redis_server
from rich.table import Table
from servers import postgres_server, throwaway_database
from stale_advanced_alchemy import AdvancedAlchemy
from stale_cashews import Cashews
from stale_ours import Ours
from stale_programs import ARTISTS, SONGS, Artist, Program, Song, UndoneError

__all__ = ["staleness"]

Answers: TypeAlias = tuple[Artist | None, list[Artist], Song | None, list[Song]]
Write: TypeAlias = Callable[[Program, Program], Awaitable[None]]
CONTESTANTS = (Ours, AdvancedAlchemy, Cashews)
SETTLE = 0.1  # seconds for those who see to their cache after they have answered
ROUNDS = 200
READERS = 4
TABLES = f"""
    CREATE TABLE {ARTISTS} (id bigint PRIMARY KEY, name text NOT NULL, rating bigint NOT NULL);
    CREATE TABLE {SONGS} (id bigint PRIMARY KEY, artist_id bigint NOT NULL REFERENCES {ARTISTS} ON DELETE CASCADE)"""
ROWS = f"""
    TRUNCATE {ARTISTS}, {SONGS};
    INSERT INTO {ARTISTS} VALUES (1, 'a', 0), (2, 'b', 0);
    INSERT INTO {SONGS} VALUES (1, 1), (2, 2)"""


async def read(program: Program) -> Answers:
    """What is asked."""
    return await program.artist(1), await program.artists(), await program.song(1), await program.songs(1)


async def told(connection: asyncpg.Connection) -> Answers:
    """What the database says."""
    artists = [tuple(row) for row in await connection.fetch(f"SELECT id, name, rating FROM {ARTISTS} ORDER BY id")]
    songs = [tuple(row) for row in await connection.fetch(f"SELECT id, artist_id FROM {SONGS} ORDER BY id")]
    artist = next((artist for artist in artists if artist[0] == 1), None)
    song = next((song for song in songs if song[0] == 1), None)
    return artist, artists, song, [song for song in songs if song[1] == 1]


async def _in_block(one: Program, other: Program) -> None:
    async with one.block():
        await one.rate(1, 5)
        await read(other)


async def _in_savepoint(one: Program, *, undone: bool) -> None:
    async with one.block():
        with suppress(UndoneError):
            async with one.block():
                await one.rate(1, 5)
                await read(one)
                if undone:
                    raise UndoneError


async def _under_reads(one: Program, other: Program) -> None:
    over = asyncio.Event()

    async def reading(program: Program) -> None:
        while not over.is_set():
            await program.artist(1)
            await program.artists()

    async with asyncio.TaskGroup() as group:
        for program in (one, other) * READERS:
            group.create_task(reading(program))
        for number in range(ROUNDS):
            await one.rate(1, number)
        over.set()


WRITES: dict[str, Write] = {
    "insert a row": lambda one, _: one.insert([(3, "c", 7)]),
    "insert 1,001 rows": lambda one, _: one.insert([(number, "n", 1) for number in range(10, 1_011)]),
    "update a row": lambda one, _: one.rate(1, 5),
    "update many rows": lambda one, _: one.rate_all(5),
    "delete a row, and by cascade another": lambda one, _: one.delete(1),
    "plain SQL": lambda one, _: one.rate_by_sql(1, 5),
    "in a transaction, while the other one reads": _in_block,
    "in a savepoint that is kept, read there": lambda one, _: _in_savepoint(one, undone=False),
    "in a savepoint that is undone, read there": lambda one, _: _in_savepoint(one, undone=True),
    f"{ROUNDS} updates, while both read": _under_reads,
}


@asynccontextmanager
async def _pair(kind: type[Program], place: PostgresqlPlace, redis: RedisServer) -> AsyncIterator[list[Program]]:
    redis.ask("FLUSHALL")
    programs = [kind(place, redis.address) for _ in range(2)]
    try:
        for program in programs:
            await program.open()
        yield programs
    finally:
        for program in programs:
            await program.close()


async def measure(place: PostgresqlPlace, redis: RedisServer) -> dict[str, list[str]]:
    """For each write what each contestant's two programs answered: how many of four reads were old."""
    host, port = place.server.host, place.server.port
    connection = await asyncpg.connect(host=host, port=port, user=place.server.user, database=place.database)
    found: dict[str, list[str]] = {write: [] for write in WRITES}
    try:
        await connection.execute(TABLES)
        for kind in CONTESTANTS:
            for name, write in WRITES.items():
                await connection.execute(ROWS)
                async with _pair(kind, place, redis) as programs:
                    for program in programs * 2:
                        await read(program)
                    if redis.ask("DBSIZE") == b":0\r\n":
                        raise RuntimeError(f"{kind.name} keeps nothing, so nothing of it can be old")
                    await write(*programs)
                    await asyncio.sleep(SETTLE)
                    right = await told(connection)
                    old = [sum(a != b for a, b in zip(await read(one), right, strict=True)) for one in programs]
                found[name].append(" / ".join(str(count) if count else "-" for count in old))
    finally:
        await connection.close()
    return found


def staleness() -> Table:
    """The matrix."""
    table = Table("write", *(kind.name for kind in CONTESTANTS), title="Old answers, here / in the other program")
    with (
        postgres_server() as server,
        throwaway_database(server.address) as database,
        redis_server() as redis,
    ):
        for write, cells in asyncio.run(measure(PostgresqlPlace(server.address, database), redis)).items():
            table.add_row(write, *cells)
    return table
