"""Related rows that have an order: positions stay dense, nothing is lost, and what did not change is not told."""

import asyncio
import contextvars
import json
import random
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import homes
import ordered_schemas
import pytest
import support
from ordered_schemas import KINDS
from soulspot_db import (
    ConstraintViolationError,
    Database,
    EntityRegistry,
    EntitySchema,
    NotFoundError,
    Repository,
    SchemaInvalidError,
    SerializationFailedError,
    ValidationFailedError,
)

DATABASES = homes.BOTH


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("ordered")) as home:
        ordered_schemas.register()
        home.prepare(ordered_schemas.make)
        yield home


class Setlists(Repository):
    schema = ordered_schemas.SetlistSchema


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


class Lists:
    """One setlist in a database, and its songs by their names."""

    def __init__(self, db, kind, row, songs):
        self.db, self.kind, self.row, self.songs = db, kind, row, songs
        self.names = {key: name for name, key in songs.items()}
        self.repository = Setlists(db)

    def ids(self, names):
        return [UUID(self.songs[name]) for name in names]

    async def add(self, names, at=None):
        return await self.repository._add_to(self.kind, self.row, self.ids(names), at=at)

    async def remove(self, names):
        return await self.repository._remove_from(self.kind, self.row, self.ids(names))

    async def move(self, name, to):
        return await self.repository._move_in(self.kind, self.row, *self.ids([name]), to)

    async def replace(self, names):
        return await self.repository._replace(self.kind, self.row, self.ids(names))

    async def order(self):
        """The names in their order; that the positions are dense is checked by the way."""
        entries = await self.db.query(f"{self.kind}_entry", {"list_id": self.row.id}, "position", fresh=True)
        assert [entry["position"] for entry in entries] == list(range(len(entries)))
        return "".join(self.names[entry["song_id"]] for entry in entries)


async def filled(db, kind):
    row = await Setlists(db)._save(Setlists(db)._plan.schema.create_model(name="list"))
    keys = await db.save_many("song", [{"name": name} for name in "abcdefghijklmnopqrstuvwxyz"])
    return Lists(db, kind, row, dict(zip("abcdefghijklmnopqrstuvwxyz", keys, strict=True)))


@pytest.fixture
async def lists(db, kind, registry):
    ordered_schemas.register()
    return await filled(db, kind)


async def changes(lists, told):
    """What was told of the links, by what happened."""
    await lists.db.events.settle()
    found = {"created": 0, "updated": 0, "deleted": 0}
    for topic, data in told:
        _, entity, what = topic.split(".")
        if entity == f"{lists.kind}_entry":
            found[what] += 1
            assert what != "updated" or data["fields"] == ["position"]
    told.clear()
    return tuple(found.values())


async def test_rows_are_added_at_the_end_or_at_a_place(lists, told):
    assert await lists.add("abc") == 3
    assert await lists.add("d") == 1
    assert await lists.order() == "abcd"
    assert await changes(lists, told) == (4, 0, 0)
    assert await lists.add("xy", at=1) == 2
    assert await lists.order() == "axybcd"
    assert await changes(lists, told) == (2, 3, 0)
    assert await lists.add("z", at=99) == 1
    assert await lists.add("w", at=0) == 1
    assert await lists.order() == "waxybcdz"


async def test_what_is_there_already_stays_where_it_is(lists, told):
    await lists.add("abc")
    await changes(lists, told)
    assert await lists.add("cab") == 0
    assert await lists.add("ca", at=0) == 0
    assert await lists.add([]) == 0
    assert await changes(lists, told) == (0, 0, 0)
    assert await lists.add("bdad", at=0) == 1
    assert await lists.order() == "dabc"


async def test_rows_are_removed_and_the_others_close_up(lists, told):
    await lists.add("abcde")
    await changes(lists, told)
    assert await lists.remove("bdz") == 2
    assert await lists.order() == "ace"
    assert await changes(lists, told) == (0, 2, 2)
    assert await lists.remove("bd") == 0
    assert await changes(lists, told) == (0, 0, 0)


async def test_a_row_is_moved(lists, told):
    await lists.add("abcde")
    await changes(lists, told)
    assert await lists.move("b", 3) is True
    assert await lists.order() == "acdbe"
    assert await changes(lists, told) == (0, 3, 0)
    assert await lists.move("e", 0) is True
    assert await lists.move("a", 99) is True
    assert await lists.order() == "ecdba"
    await changes(lists, told)
    assert await lists.move("a", 4) is True
    assert await lists.move("z", 0) is False
    assert await changes(lists, told) == (0, 0, 0)
    assert await lists.order() == "ecdba"


async def test_all_are_replaced_and_what_did_not_change_is_not_told(lists, told):
    assert await lists.replace("abcde") == 5
    await changes(lists, told)
    assert await lists.replace("abcde") == 5
    assert await changes(lists, told) == (0, 0, 0)
    assert await lists.replace("abxce") == 5
    assert await lists.order() == "abxce"
    assert await changes(lists, told) == (1, 1, 1)
    assert await lists.replace("ecxba") == 5
    assert await lists.order() == "ecxba"
    assert await changes(lists, told) == (0, 4, 0)
    assert await lists.replace("abab") == 2
    assert await lists.order() == "ab"
    assert await lists.replace([]) == 0
    assert await lists.order() == ""


async def test_one_list_leaves_the_others_alone(lists, told):
    await lists.add("abc")
    other = await Setlists(lists.db)._save(Setlists(lists.db)._plan.schema.create_model(name="other"))
    theirs = Lists(lists.db, lists.kind, other, lists.songs)
    await theirs.add("cba")
    await changes(lists, told)
    await lists.replace("b")
    assert await theirs.order() == "cba"
    assert await changes(lists, told) == (0, 1, 2)


async def test_gaps_that_others_left_are_closed_with_the_next_change(lists):
    await lists.add("abcde")
    await lists.db.delete("song", lists.songs["b"])  # the database itself removes its link
    await lists.add("f")
    assert await lists.order() == "acdef"
    await lists.db.update_where(f"{lists.kind}_entry", {"song_id": lists.songs["f"]}, {"position": 50})
    await lists.move("e", 0)
    assert await lists.order() == "eacdf"


async def test_a_row_that_does_not_exist_is_a_violation_and_nothing_changes(lists, told):
    await lists.add("ab")
    await changes(lists, told)
    nobody = uuid4()
    for attempt in (
        lambda: lists.repository._add_to(lists.kind, lists.row, [nobody], at=0),
        lambda: lists.repository._replace(lists.kind, lists.row, [*lists.ids("b"), nobody]),
    ):
        with pytest.raises(ConstraintViolationError) as caught:
            await attempt()
        assert caught.value.context["kind"] == "foreign key"
    assert await lists.repository._remove_from(lists.kind, lists.row, [nobody]) == 0
    assert await lists.repository._move_in(lists.kind, lists.row, nobody, 0) is False
    assert await lists.order() == "ab"
    assert await changes(lists, told) == (0, 0, 0)


async def test_a_list_that_is_gone_is_told(lists):
    await lists.db.delete("setlist", str(lists.row.id))
    with pytest.raises(NotFoundError, match="the setlist is gone"):
        await lists.add("a")
    with pytest.raises(NotFoundError):
        await lists.replace([])


async def test_a_random_walk_is_what_a_python_list_would_be(lists):
    choose, expected = random.Random(7), []
    for _ in range(60):
        some = "".join(choose.sample("abcdefghij", choose.randint(0, 5)))
        place = choose.randint(0, 8)
        match choose.choice(["add", "insert", "remove", "move", "replace"]):
            case "add":
                await lists.add(some)
                expected += [name for name in some if name not in expected]
            case "insert":
                await lists.add(some, at=place)
                expected[place:place] = [name for name in some if name not in expected]
            case "remove":
                await lists.remove(some)
                expected = [name for name in expected if name not in some]
            case "move":
                if await lists.move("c", place):
                    expected.remove("c")
                    expected.insert(place, "c")
            case "replace" if choose.random() < 0.3:
                await lists.replace(some)
                expected = [*some]
        assert await lists.order() == "".join(expected)


async def test_loaders_return_them_in_their_order(lists):
    await lists.replace("dacb")

    async def loaded(**options):
        rows = await lists.repository._children(lists.kind, lists.row, **options)
        many = await lists.repository._children_of(lists.kind, [lists.row], **options)
        assert many == [rows]
        return "".join(row.name for row in rows)

    assert await loaded() == "dacb"
    assert await loaded(order_by="name") == "abcd"
    assert await loaded(order_by="id") == "abcd"
    assert await loaded(limit=2) == "da"
    assert await loaded(where={"name": {"ne": "d"}}, limit=2) == "ac"
    await lists.move("b", 0)
    assert await loaded() == "bdac"
    assert await loaded(limit=2) == "bd"
    found = await lists.db.related("setlist", "list", lists.kind)
    assert [row["name"] for row in found] == [*"bdac"]


async def test_a_change_joins_the_block_around_it(lists, told):
    await lists.add("ab")
    await changes(lists, told)
    with pytest.raises(LookupError):
        async with lists.db.transaction():
            await lists.add("c")
            await lists.move("c", 0)
            assert [row.name for row in await lists.repository._children(lists.kind, lists.row)] == ["c", "a", "b"]
            raise LookupError
    assert await lists.order() == "ab"
    assert await changes(lists, told) == (0, 0, 0)
    async with lists.db.transaction() as tx:
        await tx.arrange("setlist", "list", lists.kind, add=[lists.songs["c"]])
        await lists.add("d")
    assert await lists.order() == "abcd"


async def test_a_violation_can_be_caught_in_the_block_around_it(lists):
    async with lists.db.transaction():
        await lists.add("a")
        with pytest.raises(ConstraintViolationError):
            await lists.repository._add_to(lists.kind, lists.row, [uuid4()], at=0)
        await lists.add("b")
    assert await lists.order() == "ab"


async def test_a_thousand_are_replaced_with_a_handful_of_statements(lists):
    db = lists.db
    keys = [UUID(key) for key in await db.save_many("song", [{"name": f"{n}"} for n in range(1000)])]

    async def statements(wanted):
        before = (await db.stats())["queries"]["total"]
        await lists.repository._replace(lists.kind, lists.row, wanted)
        return (await db.stats())["queries"]["total"] - before

    # BEGIN, COMMIT and PostgreSQL's savepoints among them.
    assert await statements(keys) <= 14
    assert await statements(keys[::-1]) <= 14
    assert await statements([*keys[500:], *lists.ids("abc"), *keys[:400]]) <= 14
    assert await db.count(f"{lists.kind}_entry", fresh=True) == 903


async def test_twenty_tasks_that_add_lose_nothing(lists):
    await asyncio.gather(*(lists.add(name) for name in "abcdefghijklmnopqrst"))
    assert sorted(await lists.order()) == [*"abcdefghijklmnopqrst"]


async def test_tasks_that_add_remove_move_and_replace_leave_positions_dense(lists):
    await lists.add("abcdef")
    await asyncio.gather(
        *(lists.add(name, at=0) for name in "ghijkl"),
        *(lists.remove(name) for name in "abc"),
        *(lists.move(name, 1) for name in "defdef"),
        *(lists.add("mno") for _ in range(5)),
    )
    assert sorted(await lists.order()) == [*"defghijklmno"]
    await asyncio.gather(*(lists.replace(names) for names in ("abc", "cba", "xyz", "abcdef")))
    assert await lists.order() in {"abc", "cba", "xyz", "abcdef"}


async def test_a_block_that_has_seen_an_older_order_is_told_to_run_again(lists, open_database, database_kind):
    if database_kind == "sqlite":
        pytest.skip("a block on SQLite keeps all others from writing")
    await lists.add("ab")
    other = Lists(await open_database(), lists.kind, lists.row, lists.songs)
    outside = contextvars.copy_context()
    with pytest.raises(SerializationFailedError):
        async with lists.db.transaction():
            await lists.db.count("song")
            await asyncio.create_task(other.add("c"), context=outside)
            await lists.add("d")
    assert await other.order() == "abc"
    await lists.db.run_in_transaction(lambda _tx: lists.add("d"))
    assert await other.order() == "abcd"


async def test_the_facade_arranges_by_name(lists):
    db, songs, kind = lists.db, lists.songs, lists.kind
    assert await db.arrange("setlist", "list", kind, add=[songs[name] for name in "abc"]) == 3
    assert await db.arrange("setlist", str(lists.row.id), kind, add=[songs["d"]], at=1) == 1
    assert await db.arrange("setlist", "list", kind, move=songs["c"], at=0) == 1
    assert await db.arrange("setlist", "list", kind, remove=[songs["a"], songs["z"]]) == 1
    assert await lists.order() == "cdb"
    assert await db.arrange("setlist", "list", kind, replace=[songs["b"], songs["e"]]) == 2
    assert await lists.order() == "be"
    assert await db.arrange("setlist", "list", kind, move=songs["z"], at=0) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"add": [], "remove": []},
        {"at": 1},
        {"move": "x"},
        {"remove": [], "at": 1},
        {"replace": [], "at": 0},
        {"add": "abc"},
        {"add": ["no uuid"]},
        {"add": [], "at": -1},
        {"add": [], "at": [1]},
        {"add": [["x"]]},
        {"move": str(uuid4()), "at": True},
    ],
)
async def test_what_says_nothing_clear_is_refused(lists, wrong):
    with pytest.raises(ValidationFailedError):
        await lists.db.arrange("setlist", "list", lists.kind, **wrong)


async def test_what_has_no_order_is_refused(lists):
    with pytest.raises(ValidationFailedError, match="no relation 'songs'"):
        await lists.db.arrange("setlist", "list", "songs", add=[])
    with pytest.raises(NotFoundError):
        await lists.db.arrange("setlist", "nothing", lists.kind, add=[])
    with pytest.raises(ValidationFailedError, match="list of ids"):
        await lists.repository._add_to(lists.kind, lists.row, lists.ids("a")[0])
    with pytest.raises(ValidationFailedError, match="one Setlist"):
        await lists.repository._add_to(lists.kind, lists.row.id, [])


# One of two processes.
ADDS = """
import asyncio, json, sys
sys.path[:0] = [{tests!r}]
import ordered_schemas, support
from soulspot_db import Database

async def main(where, kind, keys):
    ordered_schemas.register()
    async with Database(support.settings(**where)) as db:
        await asyncio.gather(
            *(db.arrange("setlist", "list", kind, add=[key], at=n % 3 or None) for n, key in enumerate(keys)),
            *(db.arrange("setlist", "list", kind, move=keys[0], at=n) for n in range(5)),
        )

asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])))
"""


async def test_two_processes_that_add_lose_nothing(empty_database, tmp_path, kind):
    script = ADDS.format(tests=str(Path(support.__file__).parent))
    with empty_database.copy(tmp_path) as where:
        ordered_schemas.register()
        async with Database(support.settings(**where)) as db:
            lists = await filled(db, kind)
            processes = [
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-c",
                    script,
                    json.dumps(where, default=str),
                    kind,
                    json.dumps([lists.songs[name] for name in names]),
                    stderr=subprocess.PIPE,
                )
                for names in ("abcdefghijkl", "mnopqrstuvwx")
            ]
            told = [await process.communicate() for process in processes]
            assert [process.returncode for process in processes] == [0, 0], told
            assert sorted(await lists.order()) == [*"abcdefghijklmnopqrstuvwx"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"position": "nothing"}, "has no field 'nothing'"),
        ({"position": "note"}, "cannot be a position"),
        ({"position": "song_id"}, "cannot be a position"),
        ({}, "the same two rows twice"),
    ],
)
async def test_an_order_that_cannot_be_kept_is_refused(db, registry, changes, problem):
    class LooseSchema(EntitySchema):
        entity_type = "loose"
        table_name = "loose"
        fields = {
            "id": {"type": "integer", "primary_key": True},
            "list_id": {"type": "uuid"},
            "song_id": {"type": "uuid"},
            "place": {"type": "integer", "default": 0},
            "note": {"type": "string", "nullable": True},
        }

    through = {"entity": "loose", "local": "list_id", "remote": "song_id", "position": "place"} | changes

    class BrokenSchema(EntitySchema):
        entity_type = "broken"
        table_name = "broken"
        fields = {"id": {"type": "uuid", "primary_key": True}}
        relations = {"songs": {"entity": "song", "local": "id", "remote": "id", "many": True, "through": through}}

    ordered_schemas.register()
    EntityRegistry.register("loose", LooseSchema)
    EntityRegistry.register("broken", BrokenSchema)
    await db.create_table("broken")
    key = await db.save("broken", {})
    with pytest.raises(SchemaInvalidError, match=problem):
        await db.arrange("broken", key, "songs", add=[])
