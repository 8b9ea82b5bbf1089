"""Errors: one tree, one shape, a code and a page each."""

import copy
import json
import pickle

import pytest
import soulspot_db
from soulspot_db import DatabaseError, QueryTimeoutError, errors

CLASSES = [getattr(errors, name) for name in errors.__all__]

CODES = {
    "DATABASE_ACCESS_DENIED",
    "DATABASE_COMMIT_OUTCOME_UNKNOWN",
    "DATABASE_CONFIGURATION_INVALID",
    "DATABASE_CONNECTION_FAILED",
    "DATABASE_CONSTRAINT_VIOLATION",
    "DATABASE_DECRYPTION_FAILED",
    "DATABASE_DISK_FULL",
    "DATABASE_ERROR",
    "DATABASE_LOCKED",
    "DATABASE_MIGRATION_FAILED",
    "DATABASE_MIGRATION_REQUIRED",
    "DATABASE_NOT_FOUND",
    "DATABASE_POOL_EXHAUSTED",
    "DATABASE_SERIALIZATION_FAILED",
    "DATABASE_VERSION_CONFLICT",
    "DATABASE_QUERY_FAILED",
    "DATABASE_QUERY_TIMEOUT",
    "DATABASE_SCHEMA_AHEAD",
    "DATABASE_SCHEMA_INVALID",
    "DATABASE_TRANSACTION_INVALID",
    "DATABASE_UNKNOWN_ENTITY",
    "DATABASE_UNKNOWN_FIELD",
    "DATABASE_UNSAFE_WRITE",
    "DATABASE_VALIDATION_FAILED",
}


def test_every_class_has_a_code_of_its_own():
    codes = [kind.code for kind in CLASSES]
    assert len(set(codes)) == len(codes)
    assert set(codes) <= CODES


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_a_database_error_that_the_package_exports(kind):
    assert issubclass(kind, DatabaseError)
    assert getattr(soulspot_db, kind.__name__) is kind


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_as_a_dict_has_exactly_five_keys_and_can_be_sent_as_json(kind):
    error = kind("it went wrong", "Do this.", operation="get")
    found = error.to_dict()
    assert set(found) == {"code", "message", "context", "resolution", "docs_url"}
    assert json.loads(json.dumps(found)) == found
    assert found["context"] == {"module": "database", "operation": "get"}
    assert found["docs_url"].startswith("https://docs.soulspot.app/troubleshooting/")


def test_the_resolution_is_one_text_of_numbered_steps():
    assert DatabaseError("no", "First.", "Then.").resolution == "1. First.\n2. Then."


def test_the_text_of_an_error_shows_code_message_and_steps():
    assert str(QueryTimeoutError("too slow", "Wait.")) == "[DATABASE_QUERY_TIMEOUT] too slow\n1. Wait."


def test_an_unknown_entity_is_a_value_error_too():
    assert issubclass(errors.UnknownEntityError, ValueError)


def test_changing_the_dict_of_an_error_leaves_the_error_as_it_is():
    error = DatabaseError("no", operation="get")
    error.to_dict()["context"].clear()
    assert error.context["operation"] == "get"


def test_saying_more_about_an_error_keeps_what_it_says_and_leaves_the_original_alone():
    original = QueryTimeoutError("too slow", "Wait.", operation="get", timeout=3)
    told = original.about(operation="query", entity_type="track")
    assert isinstance(told, QueryTimeoutError)
    assert told.context == {"module": "database", "operation": "get", "timeout": 3, "entity_type": "track"}
    assert (told.message, told.resolution) == (original.message, original.resolution)
    assert "entity_type" not in original.context


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_survives_being_copied_and_sent_to_another_process(again):
    error = again(QueryTimeoutError("too slow", "Wait.", timeout=3))
    assert error.to_dict() == QueryTimeoutError("too slow", "Wait.", timeout=3).to_dict()
