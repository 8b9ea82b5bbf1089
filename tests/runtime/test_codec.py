"""The codec: every value of every type comes back from a real database as it went in."""

import datetime as dt
import decimal
import sqlite3
from decimal import Decimal
from uuid import UUID

import homes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from soulspot_db import QueryFailedError, ValidationFailedError
from soulspot_db.encryption import Cipher
from soulspot_db.schema import resolved
from soulspot_db.sql.codec import Codec, KeyCodec
from soulspot_db.sql.dialects import DIALECTS
from soulspot_db.sql.query import Queries
from soulspot_db.sql.tables import create_statements
from support import EverythingSchema, JobSchema, PlaylistTrackSchema

DATABASES = homes.BOTH

KEY = UUID("0190b2d4-1f7e-7c3a-9f00-0123456789ab")
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
zoned = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29), timezones=st.timezones())
datetimes = zoned.map(lambda value: value.astimezone(dt.UTC))
VALUES = {
    "a_uuid": st.uuids(),
    "a_string": text,
    "a_text": text,
    "an_integer": st.integers(-(2**63), 2**63 - 1),
    "a_float": st.floats(allow_nan=False, allow_infinity=False),
    "a_decimal": st.integers(-(10**18) + 1, 10**18 - 1).map(lambda number: Decimal(number).scaleb(-6)),
    "a_boolean": st.booleans(),
    "a_date": st.dates(),
    "a_time": st.times(),
    "a_datetime": datetimes,
    "an_enum": st.sampled_from(["red", "it's: a", "b:lue"]),
    "texts": st.lists(text, max_size=3).map(tuple),
    "uuids": st.lists(st.uuids(), max_size=3).map(tuple),
    "datetimes": st.lists(datetimes, max_size=3).map(tuple),
    "booleans": st.lists(st.booleans(), max_size=3).map(tuple),
}


class Stored:
    """One table in memory, written and read through codec and statements."""

    def __init__(self, schema):
        self.schema = resolved(schema)
        self.codec = Codec(self.schema.spec, self.schema.model, DIALECTS["sqlite"], Cipher(()))
        self.queries = Queries(
            self.schema.spec,
            self.schema.table,
            self.codec.encode,
            DIALECTS["sqlite"],
            find={}.__getitem__,
            visible=None,
        )
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        for sql in create_statements(self.schema.spec, None, DIALECTS["sqlite"]):
            self.connection.execute(sql)

    def round_trip(self, **values):
        new = self.schema.create_model.model_validate({"id": KEY, **values})
        statement = self.queries.insert(tuple(new.__dict__), self.codec.encode_row(new.__dict__))
        try:
            return self.codec.decode(self.connection.execute(statement.sql, statement.values).fetchone())
        finally:
            self.connection.execute(f"DELETE FROM {self.schema.spec.table_name}")


@pytest.fixture(scope="module")
def stored():
    return Stored(EverythingSchema)


@given(data=st.data())
@pytest.mark.parametrize("name", VALUES)
def test_every_value_of_every_type_comes_back_equal_and_of_the_same_type(stored, name, data):
    value = data.draw(st.none() | VALUES[name])
    found = getattr(stored.round_trip(**{name: value}), name)
    assert found == value
    assert type(found) is type(value)


@given(zoned)
def test_a_datetime_of_any_zone_comes_back_aware_and_in_utc(stored, value):
    found = stored.round_trip(a_datetime=value).a_datetime
    assert found.tzinfo is dt.UTC
    assert found.timestamp() == value.timestamp()


def test_the_last_moment_that_python_knows_can_be_stored(stored):
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    assert stored.round_trip(a_datetime=last).a_datetime == last


def test_the_decimal_context_of_a_program_rounds_nothing_on_the_way(stored):
    value = Decimal("123456789012.345678")
    with decimal.localcontext(decimal.Context(prec=3)):
        assert stored.round_trip(a_decimal=value).a_decimal == value


def test_exported_dicts_hold_uuids_as_text_and_lists_as_lists_of_text(stored):
    model = stored.round_trip(a_uuid=KEY, uuids=(KEY,), texts=("a",), a_boolean=True)
    found = stored.codec.export(model)
    assert found["a_uuid"] == str(KEY)
    assert found["uuids"] == [str(KEY)]
    assert found["texts"] == ["a"]
    assert found["a_boolean"] is True
    assert found["a_text"] is None


def test_changing_an_exported_dict_changes_nothing_else(stored):
    model = stored.round_trip(texts=("a",))
    stored.codec.export(model)["texts"].append("b")
    assert model.texts == ("a",)


@pytest.mark.parametrize(("position", "value"), [(1, "no uuid"), (9, "25:00:00"), (12, "[1]"), (12, "{"), (11, "pink")])
def test_a_stored_value_that_the_schema_does_not_know_is_an_error_without_the_value(stored, position, value):
    row = [None] * 16
    row[0], row[position] = str(KEY), value
    with pytest.raises(QueryFailedError) as caught:
        stored.codec.decode(row)
    assert caught.value.context["entity_type"] == "everything"
    assert value not in str(caught.value)


composite = KeyCodec(resolved(PlaylistTrackSchema).spec)
assigned = KeyCodec(resolved(JobSchema).spec)


def test_a_composite_key_as_text_is_its_parts_percent_encoded_and_joined_by_commas():
    assert composite.text((KEY, "a,b/c %")) == f"{KEY},a%2Cb%2Fc%20%25"


@given(st.uuids(), text)
def test_every_composite_key_can_be_read_back_from_its_text(first, second):
    assert composite.parse(composite.text((first, second)), "get") == (first, second)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_key_can_be_read_back_from_its_text(number):
    assert assigned.parse(assigned.text((number,)), "get") == (number,)


@pytest.mark.parametrize("text", ["", "x", "1.0", "1e3", "--1", "\u0663", str(2**63), "9" * 5000, 7, None, True])
def test_what_is_not_the_text_of_an_integer_key_is_refused(text):
    with pytest.raises(ValidationFailedError) as caught:
        assigned.parse(text, "get")
    assert caught.value.context["operation"] == "get"
    assert caught.value.context["entity_type"] == "job"


@pytest.mark.parametrize("key", [KEY, (KEY,), (KEY, "a", "b"), [KEY, "a"], (KEY, 7), None])
def test_what_is_not_a_composite_key_is_refused(key):
    with pytest.raises(ValidationFailedError):
        composite.values(key, "get")
