"""The keys of the cache: two calls share an answer only if they ask the same, whatever Python takes for equal."""

import asyncio
import datetime as dt
import enum
import uuid
from decimal import Decimal

import homes
import pytest
import support
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from soulspot_db import Database, DatabaseError, EntityRegistry, EntitySchema
from soulspot_db.cache.question import question, row_question

DATABASES = homes.BOTH


class Text(str):
    """Equal to whatever one likes."""

    __slots__ = ()

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("1")


class Number(enum.IntEnum):
    ONE = 1


class Table(dict):
    pass


WINTER = dt.datetime(2024, 10, 27, 2, 30)
MOMENTS = [WINTER, WINTER.replace(fold=1), WINTER.replace(tzinfo=dt.UTC)]
PLAIN = [
    *(0, 1, -1, 2**63, True, False, 0.0, -0.0, 1.0, float("nan"), float("inf"), 1e16, 10**16),
    *("", "1", "1.0", "True", "None", "a", b"1", b"", None),
    *(uuid.UUID(int=1), dt.date(2024, 10, 27)),
]
# What nobody can tell from its value alone, or that compares as it likes.
STRANGE = [*MOMENTS, Text("1"), Text("x"), Number.ONE, Decimal(1), dt.time(1), 1j, frozenset(), {1}, range(2), Table()]
NAMES = st.sampled_from(["a", "b", "eq", "", "1"])


def nested(leaves):
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(NAMES, inner, max_size=2)
        ),
        max_leaves=6,
    )


def told(value):
    """A value in full, so that two are told alike only if they are of the same types and values."""
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [told(item) for item in value])
    if isinstance(value, dict):
        return ("dict", [(name, told(item)) for name, item in value.items()])
    return (type(value).__name__, repr(value))


ARGUMENTS = st.lists(nested(st.sampled_from(PLAIN)), max_size=3)
FEW_ARGUMENTS = st.lists(nested(st.sampled_from([1, 1.0, True, "1", 0.0, -0.0, None])), max_size=2)


@settings(max_examples=300)
@given(first=ARGUMENTS | FEW_ARGUMENTS, second=ARGUMENTS | FEW_ARGUMENTS)
@example(first=[0.0], second=[-0.0])
@example(first=[1], second=[True])
@example(first=[{"a": 1, "b": 2}], second=[{"a": 1}, "b", 2])
@example(first=[["a"], "b"], second=[["a", "b"]])
@example(first=[[], []], second=[[[]]])
@example(first=[{}], second=[[]])
@example(first=["a", None], second=["a"])
def test_two_lists_of_arguments_have_one_key_only_if_they_are_the_same_question(first, second):
    keys = question("query", *first), question("query", *second)
    assert None not in keys
    assert (keys[0] == keys[1]) is (told(first) == told(second))
    assert question("query", *first) != question("count", *first)


@settings(max_examples=200)
@given(given_values=ARGUMENTS, value=st.sampled_from(STRANGE), where=st.sampled_from(["alone", "list", "dict", "key"]))
def test_what_cannot_be_told_from_its_value_has_no_key(given_values, value, where):
    asked = {"alone": value, "list": [value], "dict": {"a": [value]}, "key": {Text("a"): 1}}[where]
    assert question("query", *given_values, asked) is None
    assert question("query", asked, *given_values) is None


@given(first=st.sampled_from(PLAIN), second=st.sampled_from(PLAIN))
def test_two_rows_have_one_key_only_if_their_keys_are_the_same(first, second):
    if type(first) is type(second) and not isinstance(first, float):  # a field that can be a key has one type
        assert (row_question((first,)) == row_question((second,))) is (first == second)
    assert row_question((first,)) != row_question((first, first))


# The same with a database.


class ThingSchema(EntitySchema):
    entity_type = "thing"
    table_name = "things"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "data": {"type": "json", "nullable": True},
        "number": {"type": "float", "nullable": True},
        "amount": {"type": "integer", "nullable": True},
        "text": {"type": "string", "nullable": True},
        "flag": {"type": "boolean", "nullable": True},
        "moment": {"type": "datetime", "nullable": True},
        "day": {"type": "date", "nullable": True},
    }


ROWS = [
    {
        "data": 1,
        "number": 1.0,
        "amount": 1,
        "text": "1",
        "flag": True,
        "moment": MOMENTS[2],
        "day": dt.date(2024, 10, 27),
    },
    {"data": True, "number": 0.0, "amount": 0, "text": "", "flag": False, "moment": MOMENTS[2] - dt.timedelta(hours=1)},
    *({"data": value} for value in ("1", 1.5, {"a": 1}, {"a": True}, {"a": "1"}, [1], [True], [], {}, 0, False)),
    {},
]
LIKE_ONE = st.sampled_from([1, 1.0, True, "1", "1.0", Decimal(1), Text("1"), Number.ONE])
LIKE_NOUGHT = st.sampled_from([0, 0.0, -0.0, False, "", None, "0"])
TIMES = st.sampled_from(
    [*MOMENTS, dt.date(2024, 10, 27), "2024-10-27", "2024-10-27T02:30:00+00:00", WINTER.isoformat()]
)
ALIKE = st.sampled_from([LIKE_ONE, LIKE_NOUGHT, TIMES])
FORMS = st.sampled_from(
    [
        lambda value: value,
        lambda value: [value],
        lambda value: (value,),
        lambda value: {"eq": value},
        lambda value: {"ne": value},
        lambda value: {"in": [value]},
        lambda value: {"gte": value},
        lambda value: {"eq": {"a": value}},
        lambda value: {"eq": [value]},
    ]
)


@st.composite
def alike(draw):
    """Filters on one field, of one form, whose values Python takes for equal or nearly so."""
    field, form, values = draw(st.sampled_from(list(ThingSchema.fields))), draw(FORMS), draw(ALIKE)
    return [{field: form(value)} for value in draw(st.lists(values, min_size=2, max_size=5))]


async def outcome(db, asked, where):
    try:
        return told(await (db.query("thing", where, "id") if asked == "query" else getattr(db, asked)("thing", where)))
    except DatabaseError as error:
        return error.code


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """Two databases on one file, one of which keeps nothing, and the loop they belong to."""
    loop = asyncio.new_event_loop()
    path = tmp_path_factory.mktemp("things") / "things.db"
    with EntityRegistry.isolated():
        EntityRegistry.register("thing", ThingSchema)
        kept, plain = (
            loop.run_until_complete(Database(support.settings(path, cache_max_size=size)).open()) for size in (1_000, 0)
        )
        loop.run_until_complete(kept.create_table("thing"))
        loop.run_until_complete(kept.save_many("thing", ROWS))
    yield loop, kept, plain
    for db in (kept, plain):
        loop.run_until_complete(db.close())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture(autouse=True)
def _registered(registry):
    EntityRegistry.register("thing", ThingSchema)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(wheres=alike(), asked=st.sampled_from(["query", "count", "exists"]))
def test_what_is_asked_twice_is_answered_as_without_a_cache(things, wheres, asked):
    loop, kept, plain = things
    for where in [*wheres, *wheres]:
        found = loop.run_until_complete(outcome(kept, asked, where))
        assert found == loop.run_until_complete(outcome(plain, asked, where)), where
