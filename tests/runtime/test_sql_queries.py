"""Queries in SQL: each kind finds, returns or does what its text says, on every database, with exact tags and events."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

import homes
import pytest
from analysed import analysed
from soulspot_db import (
    EntityRegistry,
    EntitySchema,
    QueryFailedError,
    SchemaInvalidError,
    TransactionError,
    ValidationFailedError,
)
from soulspot_db.repositories.repository import Repository

DATABASES = homes.BOTH
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)
NOW_PARAM = {"now": {"type": "datetime", "default": "now"}}
TYPES = {
    "a_uuid": ({"type": "uuid"}, UUID(int=7)),
    "a_text": ({"type": "text"}, "it's :now, $1 and ?"),
    "an_integer": ({"type": "integer"}, -(2**63)),
    "a_float": ({"type": "float"}, 2.0),
    "a_decimal": ({"type": "decimal", "precision": 8, "scale": 2}, Decimal("12.50")),
    "a_boolean": ({"type": "boolean"}, True),
    "a_date": ({"type": "date"}, dt.date(2026, 2, 28)),
    "a_time": ({"type": "time"}, dt.time(12, 30)),
    "a_datetime": ({"type": "datetime"}, NOW),
    "an_enum": ({"type": "enum", "values": ["calm", "wild"]}, "wild"),
    "some_bytes": ({"type": "bytes"}, b"\0\xff"),
    "a_list": ({"type": "list", "items": "date"}, (dt.date(2026, 2, 28),)),
}


class SongSchema(EntitySchema):
    entity_type = "song"
    table_name = "songs"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "title": {"type": "string"},
        "mood": {"type": "enum", "values": ["calm", "wild"], "nullable": True},
        "price": {"type": "decimal", "precision": 8, "scale": 2, "default": "1.00"},
    }
    queries = {
        "list_tried": {
            "sql": "SELECT s.* FROM songs AS s WHERE (SELECT count(*) FROM takes t WHERE t.song_id = s.id) >= :least "
            "ORDER BY s.id",
            "params": {"least": {"type": "integer", "default": 1, "minimum": 0}},
        },
        "first_titled": {
            "sql": "SELECT price, title, id, mood FROM songs WHERE title = :title ORDER BY id",
            "params": {"title": {"type": "string"}},
            "returns": "one",
        },
        "forget": {
            "sql": "DELETE FROM songs AS s WHERE s.title || '!' = :shouted",
            "params": {"shouted": {"type": "text"}},
        },
        "types": {
            "sql": f"SELECT {', '.join(f':{name} AS {name}' for name in TYPES)}, :no_date AS no_date",
            "params": {name: field for name, (field, _) in TYPES.items()}
            | {"no_date": {"type": "date", "nullable": True}},
            "columns": {name: field for name, (field, _) in TYPES.items()}
            | {"no_date": {"type": "date", "nullable": True}},
            "returns": "rows",
        },
    }


class TakeSchema(EntitySchema):
    entity_type = "take"
    table_name = "takes"
    cascades = ()
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "song_id": {"type": "integer", "references": "music.song", "on_delete": "cascade"},
        "status": {"type": "enum", "values": ["pending", "failed"], "default": "pending"},
        "worker": {"type": "string", "nullable": True, "column": "worker_name"},
        "tries": {"type": "integer", "default": 0},
        "version": {"type": "integer", "version": True},
        "due_at": {"type": "datetime", "default": "now"},
        "changed_at": {"type": "datetime", "default": "now", "on_update": "now"},
    }
    queries = {
        "list_late": {
            "sql": {
                "sqlite": "SELECT t.* FROM takes t /* of :all */ WHERE strftime('%s', :now) - strftime('%s', t.due_at) "
                ">= 3600 * t.tries ORDER BY t.id LIMIT :limit;",
                "postgresql": "SELECT * FROM takes WHERE :now - due_at >= interval '1 hour' * tries ORDER BY id LIMIT :limit",
            },
            "params": NOW_PARAM | {"limit": {"type": "integer", "default": 10, "minimum": 0}},
        },
        "list_with_songs": {
            "sql": "SELECT t.id, t.status, t.worker_name AS worker, s.title, s.mood, s.price, "
            "sum(t.tries) OVER (PARTITION BY t.song_id ORDER BY t.id) AS tried FROM takes t "
            "LEFT JOIN songs s ON s.id = t.song_id WHERE :worker IS NULL OR t.worker_name = :worker ORDER BY t.id",
            "params": {"worker": {"type": "string", "nullable": True, "default": None}},
            "columns": {"tried": {"type": "integer"}},
            "returns": "rows",
        },
        "mean_tries": {
            "sql": "SELECT avg(tries) AS mean FROM takes GROUP BY status ORDER BY 1",
            "columns": {"mean": {"type": "float"}},
            "returns": "column",
        },
        "wrong_mean": {
            "sql": "SELECT avg(tries) AS mean FROM takes",
            "columns": {"mean": {"type": "integer"}},
            "returns": "column",
        },
        "moods": {
            "sql": "SELECT status AS mood FROM takes",
            "columns": {"mood": {"type": "enum", "values": ["calm", "wild"]}},
            "returns": "column",
        },
        "last_due": {
            "sql": "SELECT max(due_at) AS due_at FROM takes",
            "columns": {"due_at": {"type": "datetime"}},
            "returns": "column",
        },
        "count_failed": {"sql": "SELECT count(*) FROM takes WHERE status = 'failed'", "returns": "count"},
        "count_recent": {"sql": "SELECT count(*) FROM takes WHERE due_at <= CURRENT_TIMESTAMP", "returns": "count"},
        "give_up": {
            "sql": "UPDATE takes SET worker_name = NULL, status = 'failed', version = version + 1, changed_at = :now "
            "WHERE tries > (SELECT length(s.title) FROM songs s WHERE s.id = takes.song_id)",
            "params": NOW_PARAM,
            "returns": "exec",
        },
        "hand_over": {
            "sql": {
                "sqlite": "UPDATE takes AS t SET worker_name = s.title, version = version + 1, changed_at = :now "
                "FROM songs s WHERE s.id = t.song_id AND t.id = :id",
                "postgresql": "UPDATE takes AS t SET worker_name = s.title, version = version + 1, changed_at = :now "
                "FROM songs s WHERE s.id = t.song_id AND t.id = :id",
            },
            "params": NOW_PARAM | {"id": {"type": "integer"}},
            "returns": "one",
        },
        "take_again": {
            "sql": "INSERT INTO takes (song_id, due_at, changed_at) SELECT song_id, due_at, changed_at FROM takes "
            "WHERE id = :id",
            "params": {"id": {"type": "integer"}},
            "returns": "exec",
        },
    }


class ReversedSongSchema(EntitySchema):
    """The same table; the order of its columns in the database is not that of the schema."""

    entity_type = "reversed_song"
    table_name = "songs"
    fields = dict(reversed(SongSchema.fields.items()))
    queries = {
        "all": {"sql": "SELECT * FROM songs ORDER BY id"},
        "raise_price": {"sql": "UPDATE songs SET price = price + price WHERE price > 0"},
    }


analysed(SongSchema, TakeSchema)
analysed(ReversedSongSchema)


class Songs(Repository):
    schema = SongSchema


class Takes(Repository):
    schema = TakeSchema


class ReversedSongs(Repository):
    schema = ReversedSongSchema


SONGS = [{"title": "Go", "mood": "wild"}, {"title": "Stay", "price": "2.50"}, {"title": "Go", "price": "3.00"}]
TAKES = [
    {"song_id": 1, "tries": 5, "worker": "ann", "due_at": NOW - 2 * HOUR},
    {"song_id": 1, "tries": 1, "due_at": NOW - 2 * HOUR},
    {"song_id": 2, "tries": 1, "worker": "bob", "due_at": NOW - 2 * HOUR, "status": "failed"},
]


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    async def create(db):
        await db.create_table("song")
        await db.create_table("take")

    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("sql")) as home:
        register()
        home.prepare(create)
        yield home


def register():
    for schema in (SongSchema, TakeSchema):
        EntityRegistry.register(schema.entity_type, schema)


@pytest.fixture(autouse=True)
def registered(registry):
    register()
    EntityRegistry.register("reversed_song", ReversedSongSchema)


@pytest.fixture
async def songs(db):
    await db.save_many("song", SONGS)
    await db.save_many("take", TAKES)
    return Songs(db)


@pytest.fixture
def takes(songs, db):
    return Takes(db)


@pytest.fixture
def cached(db):
    """What the cache said to each operation since the last call."""
    records = []
    db.hooks.add(records.append)

    def said():
        found = [record.cache for record in records]
        records.clear()
        return found

    return said


def ids(rows):
    return [row.id for row in rows]


async def test_rows_of_the_entity_are_found_in_the_order_of_the_text(songs):
    assert ids(await songs._sql_list("list_tried", {})) == [1, 2]
    assert ids(await songs._sql_list("list_tried", {"least": 2})) == [1]
    assert ids(await songs._sql_list("list_tried", {"least": 0})) == [1, 2, 3]
    assert await songs._sql_list("list_tried", {}) == [await songs._get(1), await songs._get(2)]


async def test_one_is_the_first_or_none_whatever_the_order_of_its_columns(songs):
    assert await songs._sql_one("first_titled", {"title": "Go"}) == await songs._get(1)
    assert await songs._sql_one("first_titled", {"title": "Gone"}) is None


async def test_the_order_of_columns_in_the_database_is_of_no_matter(songs, db):
    found = await ReversedSongs(db)._sql_list("all", {})
    assert [(row.id, row.title, row.mood, row.price) for row in found] == [
        (1, "Go", "wild", Decimal("1.00")),
        (2, "Stay", None, Decimal("2.50")),
        (3, "Go", None, Decimal("3.00")),
    ]
    raised = await ReversedSongs(db)._sql_list("raise_price", {})
    assert {row.id: row.price for row in raised} == {1: Decimal("2.00"), 2: Decimal("5.00"), 3: Decimal("6.00")}


async def test_each_database_has_its_own_text_and_a_parameter_is_now(takes):
    assert ids(await takes._sql_list("list_late", {})) == [2, 3]
    assert ids(await takes._sql_list("list_late", {"now": NOW + 9 * HOUR})) == [1, 2, 3]
    assert ids(await takes._sql_list("list_late", {"now": NOW + 9 * HOUR, "limit": 1})) == [1]


async def test_rows_have_the_values_that_are_selected(takes):
    found = await takes._sql_rows("list_with_songs", {}, lambda *values: values)
    assert found == [
        (1, "pending", "ann", "Go", "wild", Decimal("1.00"), 5),
        (2, "pending", None, "Go", "wild", Decimal("1.00"), 6),
        (3, "failed", "bob", "Stay", None, Decimal("2.50"), 1),
    ]
    assert [type(row[6]) for row in found] == [int] * 3
    assert [row[0] for row in await takes._sql_rows("list_with_songs", {"worker": "bob"}, lambda *row: row)] == [3]


async def test_a_column_is_its_values_and_a_count_a_number(takes):
    assert await takes._sql_column("mean_tries", {}) == [1.0, 3.0]
    assert await takes._sql_count("count_failed", {}) == 1


async def test_values_of_every_type_come_back_as_they_were_given(songs):
    given = {name: value for name, (_, value) in TYPES.items()} | {"no_date": None}
    (found,) = await songs._sql_rows("types", given, lambda *values: values)
    assert dict(zip(given, found, strict=True)) == given
    assert [type(value) for value in found] == [type(value) for value in given.values()]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"least": -1}, "cannot take this 'least': Input should be greater than or equal to 0"),
        ({"least": "2"}, "cannot take this 'least': expected an integer, got str"),
        ({"lest": 2}, "has no parameter 'lest'; did you mean 'least'?"),
    ],
)
async def test_what_a_parameter_cannot_be_is_refused(songs, given, problem):
    with pytest.raises(ValidationFailedError) as caught:
        await songs._sql_list("list_tried", given)
    assert problem in caught.value.message


async def test_a_value_that_is_not_of_its_type_is_an_error_that_does_not_tell_it(takes, db):
    with pytest.raises(
        QueryFailedError, match="wrong_mean of take found a 'mean' that is not of type 'integer'"
    ) as caught:
        await takes._sql_column("wrong_mean", {})
    assert "2.3" not in str(caught.value.to_dict())
    with pytest.raises(QueryFailedError, match="found a 'mood' that is not of type 'enum'") as caught:
        await takes._sql_column("moods", {})
    assert "pending" not in str(caught.value.to_dict())
    await db.delete_where("take", {}, all_rows=True)
    with pytest.raises(QueryFailedError, match="found a 'due_at' that is not of type 'datetime', and not null"):
        await takes._sql_column("last_due", {})


async def test_an_update_says_how_many_rows_it_changed_and_tells_of_each(takes, db, told):
    before = await takes._get(1)
    kept = await takes._sql_count("count_failed", {})
    assert await takes._sql_write("give_up", {}) == 1
    after = await takes._get(1)
    assert (after.status, after.worker, after.version) == ("failed", None, before.version + 1)
    assert after.changed_at > before.changed_at
    assert await takes._sql_count("count_failed", {}) == kept + 1
    await db.events.settle()
    assert told == [
        ("database.take.updated", {"entity_id": "1", "entity_type": "take", "fields": ["status", "worker"]}),
    ]


async def test_a_write_can_return_the_rows_that_it_wrote(takes, db, told):
    assert (await takes._sql_one("hand_over", {"id": 3})).worker == "Stay"
    assert await takes._get(3) == await takes._get(3, fresh=True)
    assert await takes._sql_one("hand_over", {"id": 99}) is None
    await db.events.settle()
    assert [data["fields"] for topic, data in told if topic == "database.take.updated"] == [["worker"]]


async def test_a_delete_returns_what_is_gone_with_all_that_belongs_to_it(songs, takes, db, told):
    assert await takes._get(1) is not None
    assert ids(await songs._sql_list("list_tried", {"least": 0})) == [1, 2, 3]
    assert sorted(ids(await songs._sql_list("forget", {"shouted": "Go!"}))) == [1, 3]
    assert await takes._get(1) is None
    assert ids(await songs._sql_list("list_tried", {"least": 0})) == [2]
    await db.events.settle()
    deleted = [(data["entity_type"], data["entity_id"]) for topic, data in told if topic.endswith(".deleted")]
    assert sorted(deleted) == [("song", "1"), ("song", "3")]


async def test_an_insert_tells_of_each_new_row(takes, db, told):
    assert await takes._sql_write("take_again", {"id": 3}) == 1
    assert (await takes._get(4)).song_id == 2
    await db.events.settle()
    assert told[-1] == ("database.take.created", {"entity_id": "4", "entity_type": "take"})


async def test_a_write_that_touches_no_row_tells_nothing_and_forgets_nothing(takes, db, told, cached):
    await takes._get(3)
    assert await takes._sql_write("take_again", {"id": 99}) == 0
    cached()
    await takes._get(3)
    assert cached() == ["hit"]
    await db.events.settle()
    assert told == []


async def test_an_answer_is_kept_until_a_table_that_it_reads_is_written(songs, takes, db, cached):
    async def asked():
        await songs._sql_list("list_tried", {})
        await takes._sql_count("count_failed", {})
        return cached()

    assert await asked() == ["miss", "miss"]
    assert await asked() == ["hit", "hit"]
    await songs._sql_list("list_tried", {"least": 2})
    assert cached() == ["miss"]
    await db.update("song", "1", {"title": "Gone"})
    cached()
    assert await asked() == ["miss", "hit"]
    await db.update("take", "1", {"tries": 0})
    cached()
    assert await asked() == ["miss", "miss"]
    await takes._sql_write("take_again", {"id": 1})
    cached()
    assert await asked() == ["miss", "miss"]


async def test_an_answer_that_depends_on_the_clock_is_not_kept(takes, cached):
    for _ in range(2):
        await takes._sql_list("list_late", {})
        await takes._sql_count("count_recent", {})
    assert "hit" not in cached()


async def test_answers_for_a_moment_that_is_made_anew_fill_no_memory(takes, db):
    async def size():
        return (await db.stats())["cache"]["memory"]["size"]

    before = await size()
    for _ in range(3):
        await takes._sql_list("list_late", {})
    assert await size() == before
    await takes._sql_count("count_failed", {})
    assert await size() == before + 1


async def test_the_values_of_one_query_are_not_taken_for_those_of_another_form(takes):
    class Form:
        def __init__(self, *values):
            self.values = values

    first = await takes._sql_rows("list_with_songs", {}, lambda *values: values)
    assert [row.values for row in await takes._sql_rows("list_with_songs", {}, Form)] == first


async def test_who_changes_what_he_gets_changes_it_for_nobody_else(songs):
    (await songs._sql_list("list_tried", {})).clear()
    assert ids(await songs._sql_list("list_tried", {})) == [1, 2]


async def test_every_kind_can_be_run_by_name(songs, db):
    assert [row["title"] for row in await db.run_query("song", "list_tried")] == ["Go", "Stay"]
    assert (await db.run_query("song", "first_titled", {"title": "Stay"}))["price"] == Decimal("2.50")
    assert await db.run_query("song", "first_titled", {"title": "Gone"}) is None
    assert (await db.run_query("take", "list_with_songs", {"worker": "ann"})) == [
        {"id": 1, "status": "pending", "worker": "ann", "title": "Go", "mood": "wild"}
        | {"price": Decimal("1.00"), "tried": 5}
    ]
    assert await db.run_query("take", "mean_tries") == [1.0, 3.0]
    assert await db.run_query("take", "count_failed") == 1
    assert await db.run_query("take", "give_up") == 1
    assert (await db.run_query("take", "hand_over", {"id": 1}))["worker"] == "Go"
    assert len(await db.run_query("song", "forget", {"shouted": "Go!"})) == 2


async def test_in_a_transaction_it_sees_what_was_written_and_leaves_nothing_of_what_is_undone(takes, db, told):
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            assert await takes._sql_write("give_up", {}) == 1
            assert await takes._sql_count("count_failed", {}) == 2
            raise ZeroDivisionError
    assert await takes._sql_count("count_failed", {}) == 1
    await db.events.settle()
    assert told == []


async def test_in_a_read_only_transaction_it_writes_nothing(takes, db):
    async with db.transaction(read_only=True):
        with pytest.raises(TransactionError):
            await takes._sql_write("give_up", {})


async def test_a_schema_whose_sql_nobody_has_analysed_is_refused_with_the_way_out():
    class Unknown(EntitySchema):
        entity_type = "unknown"
        table_name = "unknowns"
        fields = {"id": {"type": "integer", "primary_key": True}}
        queries = {"all": {"sql": "SELECT * FROM unknowns"}}

    with pytest.raises(
        SchemaInvalidError, match=r"queries\.all\.sql\.sqlite: what the SQL does is not known.*generate"
    ):
        EntityRegistry.register("unknown", Unknown)
