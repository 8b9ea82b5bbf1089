"""Input models: the limits a schema sets, on save and on update alike."""

import copy
import pickle
import warnings
from decimal import Decimal

import pytest
from soulspot_db import UNSET, EntitySchema, ValidationFailedError
from soulspot_db.repositories.refusals import refused_input
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


@pytest.mark.parametrize(
    "make", [lambda model, **given: model(**given), lambda model, **given: model.model_validate(given)]
)
def test_unset_leaves_a_field_as_it_is_and_is_no_value(make):
    changes = make(SCHEMA.update_model, level=3, short=UNSET, code=UNSET)
    assert changes.model_fields_set == {"level"}
    assert changes.model_dump(exclude_unset=True) == {"level": 3}


def test_unset_is_one_object_that_says_its_name_and_is_not_none():
    assert repr(UNSET) == str(UNSET) == "UNSET"
    assert UNSET is not None
    assert copy.deepcopy(UNSET) is pickle.loads(pickle.dumps(UNSET)) is UNSET
    assert SCHEMA.update_model().short is UNSET


def test_a_new_row_has_no_field_that_is_unset():
    with pytest.raises(ValueError, match="validation error"):
        SCHEMA.create_model(short=UNSET)


def test_an_update_model_has_a_json_schema_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert SCHEMA.update_model.model_json_schema()["properties"]


class SecretSchema(EntitySchema):
    entity_type = "secret"
    table_name = "secrets"
    fields = {
        "id": {"type": "string", "primary_key": True, "sensitive": True},
        "token": {"type": "string", "sensitive": True},
        "hint": {"type": "text", "sensitive": True, "nullable": True},
        "numbers": {"type": "list", "items": "integer", "sensitive": True, "default": [4711]},
    }


def test_no_model_of_a_hand_written_schema_prints_a_sensitive_value():
    secret = resolved(SecretSchema)
    values = {"id": "geheim", "token": "geheim", "hint": "geheim"}
    new = secret.create_model.model_validate(values)
    for model in (new, secret.update_model(token="geheim", hint="geheim"), secret.model(**new.__dict__)):
        assert "geheim" not in f"{model!r} {model}"
        assert "4711" not in f"{model!r} {model}"
