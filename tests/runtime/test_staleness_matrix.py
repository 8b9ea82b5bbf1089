"""Every kind of write against every kind of read, in the program that writes and in another one: nothing old is ever seen."""

import homes
import pytest
import support
from soulspot_db import EntityRegistry, EntitySchema, Repository

A, B, C, D = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 5))

DATABASES = homes.BOTH


class ArtistSchema(EntitySchema):
    entity_type = "matrix_artist"
    table_name = "matrix_artists"
    natural_key = "code"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "code": {"type": "string", "unique": True},
        "rating": {"type": "integer", "default": 0},
    }


class SongSchema(EntitySchema):
    entity_type = "matrix_song"
    table_name = "matrix_songs"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "artist_id": {"type": "uuid", "references": "m.matrix_artist", "on_delete": "cascade"},
        "plays": {"type": "integer", "default": 0},
    }


class Artists(Repository):
    schema = ArtistSchema


class Songs(Repository):
    schema = SongSchema


READS = {
    "row": lambda db, fresh: db.get("matrix_artist", A, fresh=fresh),
    "row by natural key": lambda db, fresh: db.get("matrix_artist", "a", fresh=fresh),
    "row by unique value": lambda db, fresh: Artists(db)._get_by({"code": "a"}, fresh=fresh),
    "rows": lambda db, fresh: db.get_many("matrix_artist", [A, B, C], fresh=fresh),
    "query": lambda db, fresh: db.query("matrix_artist", {"rating": {"gte": 1}}, order_by="code", fresh=fresh),
    "page": lambda db, fresh: db.page("matrix_artist", limit=2, fresh=fresh),
    "count": lambda db, fresh: db.count("matrix_artist", {"rating": 0}, fresh=fresh),
    "existence": lambda db, fresh: db.exists("matrix_artist", {"rating": {"gte": 5}}, fresh=fresh),
    "row of another": lambda db, fresh: db.get("matrix_song", "1", fresh=fresh),
    "query of another": lambda db, fresh: db.query("matrix_song", {"artist_id": A}, order_by="id", fresh=fresh),
    "count of another": lambda db, fresh: db.count("matrix_song", fresh=fresh),
}


async def _in_block(db, work, *, nested=False, undone=False):
    async with db.transaction() as tx:
        if not nested:
            await work(tx)
            return
        await tx.save("matrix_song", {"id": 50, "artist_id": B})
        try:
            async with tx.transaction():
                await work(tx)
                assert not undone, "this savepoint is to be undone"
        except AssertionError:
            return


def _rate(rating):
    return lambda db: db.update("matrix_artist", A, {"rating": rating})


WRITES = {
    "save": lambda db: db.save("matrix_artist", {"id": C, "code": "c", "rating": 7}),
    "save_many": lambda db: db.save_many(
        "matrix_artist", [{"id": C, "code": "c"}, {"id": D, "code": "d", "rating": 1}]
    ),
    "update": _rate(5),
    "update by natural key": lambda db: db.update("matrix_artist", "a", {"rating": 5}),
    "update of the natural key": lambda db: db.update("matrix_artist", A, {"code": "z"}),
    "update_where": lambda db: db.update_where("matrix_artist", {"code": "a"}, {"rating": 5}),
    "upsert that inserts": lambda db: db.upsert("matrix_artist", {"id": C, "code": "c", "rating": 9}),
    "upsert that updates": lambda db: db.upsert("matrix_artist", {"id": A, "code": "a", "rating": 9}),
    "delete and its cascade": lambda db: db.delete("matrix_artist", A),
    "delete_where and its cascade": lambda db: db.delete_where("matrix_artist", {"rating": 0}),
    "bulk": lambda db: db.save_many("matrix_artist", [{"code": f"n{n}", "rating": n} for n in range(1_001)]),
    "in a block": lambda db: _in_block(db, _rate(5)),
    "in a kept savepoint": lambda db: _in_block(db, _rate(5), nested=True),
    "in a savepoint that is undone": lambda db: _in_block(db, _rate(5), nested=True, undone=True),
    "of another's row": lambda db: db.update("matrix_song", "1", {"plays": 1}),
}


@pytest.fixture
async def programs(open_program):
    for schema in (ArtistSchema, SongSchema):
        EntityRegistry.register(schema.entity_type, schema)
    one, other = await open_program(cache_recheck=3600), await open_program(cache_recheck=0)
    for schema in (ArtistSchema, SongSchema):
        await one.create_table(schema.entity_type)
    await one.save_many("matrix_artist", [{"id": A, "code": "a"}, {"id": B, "code": "b", "rating": 1}])
    await one.save_many("matrix_song", [{"id": 1, "artist_id": A}, {"id": 2, "artist_id": B}])
    return one, other


@pytest.mark.parametrize("write", WRITES)
async def test_whatever_is_written_nobody_reads_what_was_before(programs, write):
    one, other = programs
    for db in programs:
        for read in READS.values():
            await read(db, False)
    for db in programs:  # now from memory
        for read in READS.values():
            await read(db, False)
    await WRITES[write](one)
    seen = {db: {name: await read(db, False) for name, read in READS.items()} for db in programs}
    told = {name: await read(one, True) for name, read in READS.items()}
    assert seen[one] == told
    assert seen[other] == told


async def test_what_is_kept_is_answered_without_the_database(programs):
    """Or the matrix would show nothing."""
    one, other = programs
    for db in programs:
        for _ in range(2):
            for read in READS.values():
                await read(db, False)
        before = (await db.stats())["queries"]["total"]
        for read in READS.values():
            await read(db, False)
        assert (await db.stats())["queries"]["total"] == before
    assert support.being_written(one) == support.being_written(other) == []
