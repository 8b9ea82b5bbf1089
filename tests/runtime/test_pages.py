"""Pages and streams: every row once, in order, forward and back, whatever is inserted meanwhile."""

import asyncio
import datetime as dt
from decimal import Decimal

import homes
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soulspot_db import (
    Database,
    DatabaseSettings,
    EntityRegistry,
    EntitySchema,
    Page,
    Repository,
    ValidationFailedError,
)

DATABASES = homes.BOTH
DAY = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)


class EntrySchema(EntitySchema):
    entity_type = "entry"
    table_name = "entries"
    fields = {
        "shelf": {"type": "string"},
        "number": {"type": "integer"},
        "a": {"type": "integer", "nullable": True},
        "b": {"type": "text", "nullable": True},
        "c": {"type": "decimal", "precision": 6, "scale": 2, "nullable": True},
        "d": {"type": "datetime", "nullable": True},
        "e": {"type": "bytes", "default": None, "nullable": True},
        "f": {"type": "boolean", "default": False},
        "g": {"type": "float", "default": 0.0},
        "secret": {"type": "text", "nullable": True, "sensitive": True},
    }
    primary_key = ("shelf", "number")
    queries = {
        "of_shelf": {"where": {"shelf": {"param": "shelf"}}, "order_by": "number desc", "limit": 2, "returns": "page"}
    }


class Entries(Repository):
    schema = EntrySchema


ROWS = [
    {
        "shelf": "ä" if n % 2 else "z",
        "number": n,
        "a": (None, 1, 2)[n % 3],
        "b": (None, "", "B", "b", 'ü"')[n % 5],
        "c": (None, Decimal("1.50"), Decimal("-2.00"))[n % 3],
        "d": (None, DAY, DAY + dt.timedelta(microseconds=1))[n % 3],
        "e": (b"", b"\xff\x00", b"a", None)[n % 4],
        "f": n % 2 == 0,
        "g": (0.1, 1e300, -1 / 3)[n % 3],
    }
    for n in range(24)
]
FIELDS = ["shelf", "number", "a", "b", "c", "d", "e", "f", "g"]
NULLABLE = set("abcde")


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("pages")) as home:
        EntityRegistry.register("entry", EntrySchema)
        home.prepare(lambda db: db.create_table("entry"))
        yield home


@pytest.fixture
async def entries(db):
    EntityRegistry.register("entry", EntrySchema)
    await db.save_many("entry", ROWS)
    return Entries(db)


@pytest.fixture(scope="module")
def ask(empty_database, tmp_path_factory):
    """Runs a function of a repository that holds ROWS."""
    with empty_database.copy(tmp_path_factory.mktemp("copy")) as where, asyncio.Runner() as runner:
        with EntityRegistry.isolated():
            EntityRegistry.register("entry", EntrySchema)
            db = runner.run(Database(DatabaseSettings(**where, _env_file=None)).open())
            runner.run(db.save_many("entry", ROWS))
        yield lambda what: runner.run(what(Entries(db)))
        runner.run(db.close())


def in_order(terms):
    """ROWS as plain Python sorts them."""
    named = {name for name, _, _ in terms}
    down = bool(terms) and terms[-1][1]
    rows = ROWS
    for name, descending, first in reversed(
        [*terms, *((key, down, False) for key in ("shelf", "number") if key not in named)]
    ):
        nulls, others = ([row for row in rows if (row[name] is None) is null] for null in (True, False))
        others = sorted(others, key=lambda row, name=name: row[name], reverse=descending)
        rows = nulls + others if first else others + nulls
    return [(row["shelf"], row["number"]) for row in rows]


TERMS = st.lists(
    st.tuples(st.sampled_from(FIELDS), st.booleans(), st.booleans()), max_size=3, unique_by=lambda term: term[0]
).map(lambda terms: [(name, down, first and name in NULLABLE) for name, down, first in terms])


def text(terms):
    return [f"{name}{' desc' if down else ''}{' nulls first' if first else ''}" for name, down, first in terms] or None


def keys(rows):
    return [(row.shelf, row.number) for row in rows]


async def forward(entries, **wanted):
    pages = [await entries._page(**wanted)]
    while pages[-1].next is not None:
        pages.append(await entries._page(**wanted, after=pages[-1].next))
    return pages


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(terms=TERMS, limit=st.integers(1, 25))
def test_pages_are_all_rows_once_in_any_order_forward_and_back(ask, terms, limit):
    async def check(entries):
        expected = in_order(terms)
        pages = await forward(entries, order_by=text(terms), limit=limit)
        assert [key for page in pages for key in keys(page.items)] == expected
        assert all(len(page.items) == limit for page in pages[:-1])
        assert pages[0].previous is None
        back, found = pages[-1], list(keys(pages[-1].items))
        while back.previous is not None:
            back = await entries._page(order_by=text(terms), limit=limit, before=back.previous)
            found = [*keys(back.items), *found]
        assert found == expected
        streamed = [row async for row in entries._stream(order_by=text(terms), batch_size=limit)]
        assert keys(streamed) == expected

    ask(check)


async def test_rows_that_are_inserted_or_deleted_meanwhile_move_nothing(entries, db):
    first = await entries._page(order_by="number", limit=5)
    await db.save("entry", ROWS[0] | {"shelf": "n", "number": -1})
    await entries._delete(("z", 2))
    second = await entries._page(order_by="number", limit=5, after=first.next)
    assert [row.number for row in second.items] == [5, 6, 7, 8, 9]
    before = await entries._page(order_by="number", limit=9, before=second.previous)
    assert [row.number for row in before.items] == [-1, 0, 1, 3, 4]
    assert before.previous is None
    assert before.next is not None


async def test_a_page_has_its_filter(entries):
    pages = await forward(entries, where={"shelf": "z", "a": {"ne": None}}, limit=3)
    assert [row.number for page in pages for row in page.items] == [2, 4, 8, 10, 14, 16, 20, 22]


async def test_a_page_is_kept_until_a_write(entries, db):
    for _ in range(2):
        assert len((await entries._page(limit=30)).items) == 24
    (await entries._page(limit=30)).items.clear()
    await entries._delete(("z", 2))
    assert len((await entries._page(limit=30)).items) == 23


async def test_named_queries_have_pages(entries, db):
    page = await entries._named_page("of_shelf", {"shelf": "z"})
    assert [row.number for row in page.items] == [22, 20]
    page = await db.run_query("entry", "of_shelf", {"shelf": "z", "after": page.next})
    assert [row["number"] for row in page.items] == [18, 16]


async def test_the_facade_has_pages_and_streams_of_dicts(entries, db):
    page = await db.page("entry", {"shelf": "z"}, "number desc", 2)
    assert isinstance(page, Page)
    assert [row["number"] for row in page.items] == [22, 20]
    assert [row["number"] async for row in db.stream("entry", {"number": {"lt": 3}}, "number", batch_size=2)] == [
        0,
        1,
        2,
    ]


async def test_a_page_may_be_as_large_as_a_number_can_be(entries):
    assert len((await entries._page(limit=2**63 - 1)).items) == 24


async def test_a_page_of_nothing_has_no_neighbours(entries):
    assert await entries._page({"number": 99}) == Page([], None, None)
    assert await entries._page(limit=0) == Page([], None, None)


@pytest.mark.parametrize(
    "options",
    [
        {"after": "nonsense"},
        {"after": ""},
        {"after": "é"},
        {"after": 5},
        {"after": "WzFd"},
        {"limit": -1},
        {"order_by": "secret"},
    ],
)
async def test_what_is_no_page_is_refused(entries, options):
    with pytest.raises(ValidationFailedError):
        await entries._page(**options)


async def test_a_cursor_of_another_order_is_refused(entries):
    page = await entries._page(order_by="a", limit=2)
    for order in ("a desc", "a nulls first", "b", None):
        with pytest.raises(ValidationFailedError, match="cursor"):
            await entries._page(order_by=order, after=page.next)
    with pytest.raises(ValidationFailedError, match="do not go together"):
        await entries._page(order_by="a", after=page.next, before=page.next)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cursor=st.text(max_size=80)
    | st.binary(max_size=40).map(lambda raw: __import__("base64").urlsafe_b64encode(raw).decode())
)
def test_no_text_is_more_than_a_refused_cursor(ask, cursor):
    async def check(entries):
        with pytest.raises(ValidationFailedError):
            await entries._page(order_by="b", after=cursor)

    ask(check)


async def test_a_long_table_is_streamed_a_part_at_a_time(entries, db):
    asked = []
    db.hooks.add(lambda record: asked.append(record.rows))
    assert len([row async for row in entries._stream(batch_size=10)]) == 24
    assert asked == [10, 10, 4]
