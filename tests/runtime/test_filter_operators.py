"""Operators on text, JSON, lists and moments: each database finds the rows that plain Python finds, by SQL's rules for NULL."""

import asyncio
import datetime as dt
import re

import homes
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soulspot_db import Database, DatabaseSettings, EntityRegistry, EntitySchema, Repository, ValidationFailedError
from soulspot_db.language import folding
from soulspot_db.language.filters import parse_filter
from soulspot_db.schema import resolved

DATABASES = homes.BOTH
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)


class ThingSchema(EntitySchema):
    entity_type = "thing"
    table_name = "things"
    cache = False
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "name": {"type": "text", "nullable": True},
        "kind": {"type": "enum", "values": ["a", "Ab"], "nullable": True},
        "data": {"type": "json", "nullable": True},
        "tags": {"type": "list", "items": "string", "nullable": True},
        "days": {"type": "list", "items": "date", "default": []},
        "at": {"type": "datetime", "nullable": True},
    }


class Things(Repository):
    schema = ThingSchema


NAMES = [None, "", "abc", "ABC", "a%c", "a_c", "a*c", "a?c", "[a]", "a\\c", "Äb", "äB", "x\nabc", "'a"]
DATA = [
    *(None, True, False, 0, 1, 1.5, "", "a", [], {}),
    *(
        [1, 2],
        [[1]],
        ["a", None],
        {"a": 1},
        {"a": [1, {"b": None}]},
        {"a": {"b": 1, "c": [True]}},
        {"": "a", 'q"': 1.0},
    ),
]
TAGS = [None, [], ["a"], ["a", "b"], ["A"]]
DAYS = [[], [dt.date(2026, 1, 1)], [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]]
TIMES = [None, NOW - 2 * HOUR, NOW + 2 * HOUR]
COUNT = 70
ROWS = [
    {
        "id": n,
        "name": NAMES[n % len(NAMES)],
        "kind": (None, "a", "Ab")[n % 3],
        "data": DATA[n % len(DATA)],
        "tags": TAGS[n % len(TAGS)],
        "days": DAYS[n % len(DAYS)],
        "at": TIMES[n % len(TIMES)],
    }
    for n in range(1, COUNT)
]


@pytest.fixture(scope="module")
def find(database_kind, tmp_path_factory):
    """Asks a database that holds ROWS for the ids of those that match."""

    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("operators")) as home:
        EntityRegistry.register("thing", ThingSchema)
        home.prepare(lambda db: db.create_table("thing"))
        with home.copy(tmp_path_factory.mktemp("copy")) as where, asyncio.Runner() as runner:
            db = runner.run(Database(DatabaseSettings(**where, _env_file=None)).open())
            runner.run(db.save_many("thing", ROWS))
            things = Things(db)

            async def ids(filters, order_by=None):
                return [row.id for row in await things._query(filters, order_by=order_by or "id")]

            yield lambda *asked: runner.run(ids(*asked))
            runner.run(db.close())


# Plain Python, with None for "unknown".


def folded(text):
    return re.sub("[A-Z]", lambda found: found[0].lower(), text)


def is_like(text, like):
    """LIKE, one character after the other."""
    if not like:
        return not text
    if like[0] == "%":
        return any(is_like(text[start:], like[1:]) for start in range(len(text) + 1))
    if like[0] == "\\":
        return text[:1] == like[1] and is_like(text[1:], like[2:])
    return text != "" and like[0] in {"_", text[0]} and is_like(text[1:], like[1:])


TEXT = {
    "like": is_like,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": lambda text, part: part in text,
}


def is_text(operator, text, wanted):
    if isinstance(wanted, list):
        return any(is_text(operator, text, each) for each in wanted)
    if operator == "ieq":
        return folded(text) == folded(wanted)
    if operator.startswith("i"):
        return TEXT[operator[1:]](folded(text), folded(wanted))
    return TEXT[operator](text, wanted)


def has(stored, wanted, *, root=True):
    if isinstance(wanted, dict):
        return isinstance(stored, dict) and all(
            k in stored and has(stored[k], v, root=False) for k, v in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(stored, list) and all(any(has(s, w, root=False) for s in stored) for w in wanted)
    if root and isinstance(stored, list):
        return any(has(each, wanted, root=False) for each in stored)
    return stored == wanted and isinstance(stored, bool) == isinstance(wanted, bool)


def expected(name, operator, wanted):
    negated = operator.startswith("not_")
    operator = operator.removeprefix("not_")
    for row in ROWS:
        value = row[name]
        if value is None:
            if wanted == [] and negated:  # as null is not in an empty list
                yield row["id"]
            continue
        if name in {"data", "tags", "days"}:
            found = has(value, wanted if name == "data" or isinstance(wanted, list) else [wanted])
        else:
            found = is_text(operator, value, wanted)
        if found is not negated:
            yield row["id"]


texts = st.sampled_from([name for name in NAMES if name is not None]) | st.text("aAbcÄ%_*?[]^\\\n", max_size=4)
patterns = texts.filter(lambda text: (len(text) - len(text.rstrip("\\"))) % 2 == 0)
shared = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared
@given(operator=st.sampled_from(["like", "ilike", "not_like", "not_ilike"]), data=st.data())
def test_a_pattern_finds_the_same_everywhere(find, operator, data):
    wanted = data.draw(patterns | st.lists(patterns, max_size=3))
    name = data.draw(st.sampled_from(["name", "kind"]))
    assert find({name: {operator: wanted}}) == list(expected(name, operator, wanted))


@shared
@given(
    operator=st.sampled_from(
        ["ieq", *(i + name for i in ("", "i") for name in ("starts_with", "ends_with", "contains"))]
    ),
    wanted=texts | st.lists(texts, max_size=3),
)
def test_a_part_of_a_text_is_meant_as_it_is_written(find, operator, wanted):
    assert find({"name": {operator: wanted}}) == list(expected("name", operator, wanted))


json = st.sampled_from(DATA) | st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, 1, 1.0, 1.5, 2, "", "a"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "c", "", 'q"']), inner, max_size=2)
    ),
    max_leaves=5,
)


@shared
@given(wanted=json.filter(lambda value: value is not None))
def test_a_json_value_has_what_is_in_it(find, wanted):
    rows = list(expected("data", "contains", wanted))
    assert find({"data": {"contains": wanted}}) == rows
    assert find({"not": {"data": {"contains": wanted}}}) == [
        row["id"] for row in ROWS if row["data"] is not None and row["id"] not in rows
    ]


@pytest.mark.parametrize("wanted", ["a", "A", ["a", "b"], [], ["a", "c"]])
def test_a_list_has_an_item_or_all_of_several(find, wanted):
    assert find({"tags": {"contains": wanted}}) == list(expected("tags", "contains", wanted))


def test_an_item_of_a_list_is_compared_as_it_is_stored(find):
    day = dt.date(2026, 1, 2)
    assert find({"days": {"contains": day}}) == [row["id"] for row in ROWS if day in row["days"]]


@pytest.mark.parametrize("operator", ["is", "is_not"])
@pytest.mark.parametrize("value", ["abc", None])
def test_null_safe_equality_is_never_unknown(find, operator, value):
    assert find({"name": {operator: value}}) == [
        row["id"] for row in ROWS if (row["name"] == value) == (operator == "is")
    ]
    assert find({"not": {"name": {operator: value}}}) == [
        row["id"] for row in ROWS if (row["name"] == value) != (operator == "is")
    ]


def test_two_fields_are_the_same_also_where_both_are_null(find):
    assert find({"name": {"is": {"field": "kind"}}}) == [row["id"] for row in ROWS if row["name"] == row["kind"]]


@pytest.mark.parametrize(
    ("offset", "past"), [("0s", NOW), ("-1h", NOW), ("+1h30m", NOW), ("-3h", NOW - 3 * HOUR), ("1w2d", NOW + 48 * HOUR)]
)
def test_a_moment_is_counted_from_now(find, offset, past):
    assert find({"at": {"lt": {"now": offset}}}) == [row["id"] for row in ROWS if row["at"] and row["at"] < past]


def test_between_includes_both_ends(find):
    assert find({"id": {"between": [3, 5]}}) == [3, 4, 5]
    assert find({"at": {"between": [{"now": "-3h"}, {"now": "0s"}]}}) == [
        row["id"] for row in ROWS if row["at"] == NOW - 2 * HOUR
    ]


@pytest.mark.parametrize(
    "where",
    [
        {"name": {"contains": ""}},
        {"name": {"istarts_with": ["x", ""]}},
        {"name": {"like": "%%"}},
        {"tags": {"contains": []}},
    ],
)
def test_an_empty_search_counts_as_no_condition_of_a_write(where):
    predicate = parse_filter(where, resolved(ThingSchema).spec)
    assert folding.folded(predicate, resolved(ThingSchema).spec.fields) is True


@pytest.mark.parametrize("offset", ["3000000d", "", "1", "h", "-1x", "1h-1m", 5, None, "999999999w"])
def test_what_is_no_distance_from_now_is_refused(find, offset):
    with pytest.raises(ValidationFailedError, match="now"):
        find({"at": {"lt": {"now": offset}}})
