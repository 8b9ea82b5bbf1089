"""Input models: the limits a schema sets, on save and on update alike."""

from decimal import Decimal

import pytest
from soulspot_db import EntitySchema, ValidationFailedError
from soulspot_db.refusals import refused_input
from soulspot_db.schema import resolved


class LimitedSchema(EntitySchema):
    entity_type = "limited"
    table_name = "limiteds"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "code": {"type": "string", "pattern": "[a-z]+|[0-9]{2}", "default": "a"},
        "short": {"type": "text", "max_length": 3, "nullable": True},
        "level": {"type": "integer", "minimum": -1, "maximum": 10, "default": 0},
        "share": {"type": "float", "minimum": 0.5, "nullable": True},
        "price": {"type": "decimal", "precision": 6, "scale": 2, "maximum": 10, "nullable": True},
        "numbers": {"type": "list", "items": "integer", "default": []},
    }


SCHEMA = resolved(LimitedSchema)

FITS = {
    "code": ["a", "abc", "12"],
    "short": [None, "", "äöü", "👍👍👍"],
    "level": [-1, 10],
    "share": [0.5, 1],
    "price": ["10", Decimal("9.99"), -3],
    "numbers": [[], [1, 2], (2**63 - 1,)],
}
DOES_NOT_FIT = {
    "code": ["", "A", "a1", "123", "a\n", "a b", "12a"],
    "short": ["äöüß", "a\0"],
    "level": [-2, 11, 1.0],
    "share": [0.49],
    "price": ["10.01", 11],
    "numbers": [["1"], [True], [2**63], [None], "12", [1.5]],
}


def pairs(table):
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize("model", [SCHEMA.create_model, SCHEMA.update_model])
@pytest.mark.parametrize(("name", "value"), pairs(FITS))
def test_a_value_within_its_limits_is_accepted(model, name, value):
    found = getattr(model.model_validate({name: value}), name)
    assert found == (tuple(value) if isinstance(value, list) else Decimal(value) if name == "price" else value)


@pytest.mark.parametrize("model", [SCHEMA.create_model, SCHEMA.update_model])
@pytest.mark.parametrize(("name", "value"), pairs(DOES_NOT_FIT))
def test_a_value_beyond_its_limits_is_refused(model, name, value):
    with pytest.raises(ValueError, match="validation error") as caught:
        model.model_validate({name: value})
    error = refused_input(caught.value, SCHEMA.spec, "save")
    assert isinstance(error, ValidationFailedError)
    assert error.context["field"] == name


def test_an_update_knows_what_was_given_from_what_was_left_out():
    assert SCHEMA.update_model.model_validate({"short": None}).model_fields_set == {"short"}


def test_a_new_row_takes_its_defaults_and_no_two_rows_share_a_list():
    first, second = SCHEMA.create_model(), SCHEMA.create_model()
    assert (first.code, first.level, first.numbers) == ("a", 0, ())
    assert first == second


def test_an_input_model_cannot_be_changed_past_its_rules():
    with pytest.raises(ValueError, match="frozen"):
        SCHEMA.create_model().level = 99
