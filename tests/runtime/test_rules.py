"""Rules: what each kind of value accepts, and that everything else is an error and never a guess."""

import datetime as dt
import decimal
import time
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from soulspot_db import rules

KEY = UUID("0190b2d4-1f7e-7c3a-9f00-0123456789ab")
NOON = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


def checked(kind, rule, value):
    return TypeAdapter(Annotated[kind, rule]).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "rule", "given", "stored"),
    [
        (str, rules.text, "Bücher 📚", "Bücher 📚"),
        (int, rules.integer, 2**63 - 1, 2**63 - 1),
        (int, rules.integer, -(2**63), -(2**63)),
        (float, rules.number, 3, 3.0),
        (bool, rules.boolean, True, True),
        (UUID, rules.uuid, KEY, KEY),
        (UUID, rules.uuid, str(KEY).upper(), KEY),
        (dt.date, rules.date, "2026-11-24", dt.date(2026, 11, 24)),
        (dt.time, rules.time, "12:30:00", dt.time(12, 30)),
        (dt.datetime, rules.utc, "2026-11-24T14:00:00+02:00", NOON),
        (Decimal, rules.decimal(4, 2), "12.5", Decimal("12.50")),
        (Decimal, rules.decimal(4, 2), 12, Decimal("12.00")),
        (Decimal, rules.decimal(4, 2), Decimal("1E+1"), Decimal("10.00")),
        (tuple, rules.sequence, ["a"], ("a",)),
    ],
)
def test_a_value_that_fits_is_taken_in_its_one_form(kind, rule, given, stored):
    found = checked(kind, rule, given)
    assert (found, type(found), str(found)) == (stored, type(stored), str(stored))


@pytest.mark.parametrize(
    ("kind", "rule", "value"),
    [
        (str, rules.text, 7),
        (str, rules.text, b"bytes"),
        (str, rules.text, "a\0b"),
        (str, rules.text, "\ud800"),
        (int, rules.integer, True),
        (int, rules.integer, "7"),
        (int, rules.integer, 7.0),
        (int, rules.integer, 2**63),
        (int, rules.integer, -(2**63) - 1),
        (float, rules.number, True),
        (float, rules.number, "1.5"),
        (float, rules.number, float("nan")),
        (float, rules.number, float("inf")),
        (float, rules.number, 10**400),
        (bool, rules.boolean, 1),
        (bool, rules.boolean, "true"),
        (UUID, rules.uuid, "not-a-uuid"),
        (UUID, rules.uuid, 7),
        (dt.date, rules.date, NOON),
        (dt.date, rules.date, "24.11.2026"),
        (dt.time, rules.time, dt.time(12, tzinfo=dt.UTC)),
        (dt.time, rules.time, "noon"),
        (dt.datetime, rules.utc, dt.date(2026, 11, 24)),
        (dt.datetime, rules.utc, "yesterday"),
        (dt.datetime, rules.utc, 1764000000),
        (dt.datetime, rules.utc, dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
        (Decimal, rules.decimal(4, 2), 12.5),
        (Decimal, rules.decimal(4, 2), True),
        (Decimal, rules.decimal(4, 2), "12.345"),
        (Decimal, rules.decimal(4, 2), "100"),
        (Decimal, rules.decimal(4, 2), "NaN"),
        (Decimal, rules.decimal(4, 2), "sNaN"),
        (Decimal, rules.decimal(4, 2), "-Infinity"),
        (Decimal, rules.decimal(4, 2), Decimal("1E+9999999")),
        (Decimal, rules.decimal(4, 2), "twelve"),
        (tuple, rules.sequence, "text"),
        (tuple, rules.sequence, {"a"}),
    ],
)
def test_a_value_that_does_not_fit_is_refused_without_being_repeated(kind, rule, value):
    with pytest.raises(ValidationError) as caught:
        checked(kind, rule, value)
    message = caught.value.errors(include_input=False, include_url=False)[0]["msg"]
    assert isinstance(value, (bool, float)) or repr(value) not in message


@pytest.fixture
def in_berlin(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def test_a_naive_datetime_is_local_time(in_berlin):
    assert checked(dt.datetime, rules.utc, dt.datetime(2026, 11, 24, 13)) == NOON
    assert checked(dt.datetime, rules.utc, "2026-11-24T13:00:00") == NOON


@given(st.one_of(st.decimals(), st.integers(), st.text(), st.floats()))
def test_a_decimal_is_stored_exactly_or_refused_with_a_validation_error(value):
    try:
        found = checked(Decimal, rules.decimal(18, 6), value)
    except ValidationError:
        return
    assert found == Decimal(value)
    assert found.as_tuple().exponent == -6


def test_the_decimal_context_of_a_program_does_not_round_what_is_stored():
    with decimal.localcontext(decimal.Context(prec=3)):
        found = checked(Decimal, rules.decimal(18, 2), "1234567890.12")
    assert found == Decimal("1234567890.12")
