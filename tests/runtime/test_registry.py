"""The registry: names of entity types, and hand-written schemas checked as they are registered."""

import pytest
from soulspot_db import EntityRegistry, EntitySchema, SchemaInvalidError, UnknownEntityError
from support import CounterSchema, PlaylistSchema


def made(**attributes):
    base = {"entity_type": "thing", "table_name": "things", "fields": {"id": {"type": "uuid", "primary_key": True}}}
    return type("ThingSchema", (EntitySchema,), {**base, **attributes})


def test_a_registered_class_is_found_by_its_entity_type():
    assert EntityRegistry.get_schema("playlist") is PlaylistSchema


def test_an_instance_may_be_registered_instead_of_a_class():
    schema = made()
    EntityRegistry.register("thing", schema())
    assert EntityRegistry.get_schema("thing") is schema


def test_what_an_instance_says_for_itself_counts():
    instance = made()()
    instance.table_name = "other_things"
    EntityRegistry.register("thing", instance)
    assert EntityRegistry.get_schema("thing").table_name == "other_things"


def test_entity_types_are_listed_sorted():
    assert EntityRegistry.list_entity_types() == ["counter", "everything", "job", "playlist", "playlist_track"]


@pytest.mark.parametrize("schema", [PlaylistSchema, CounterSchema])
def test_a_second_registration_is_an_error_even_with_the_same_class(schema):
    with pytest.raises(SchemaInvalidError, match="already registered"):
        EntityRegistry.register(schema.entity_type, schema)


def test_a_schema_cannot_be_registered_under_another_name():
    with pytest.raises(SchemaInvalidError):
        EntityRegistry.register("song", made())


@pytest.mark.parametrize("name", ["song", "", None, 7, ["playlist"]])
def test_an_unknown_type_is_a_database_error_that_is_a_value_error_too(name):
    with pytest.raises(UnknownEntityError) as caught:
        EntityRegistry.get_schema(name)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == "DATABASE_UNKNOWN_ENTITY"


def test_an_unknown_type_is_answered_with_the_nearest_known_one():
    with pytest.raises(UnknownEntityError, match="did you mean 'playlist'"):
        EntityRegistry.get_schema("playlst")


def test_an_isolated_registry_starts_empty_and_leaves_the_outer_one_as_it_was():
    with EntityRegistry.isolated():
        assert EntityRegistry.list_entity_types() == []
        EntityRegistry.register("counter", CounterSchema)
    assert "playlist" in EntityRegistry.list_entity_types()


def test_a_lazy_registration_is_loaded_on_first_use():
    with EntityRegistry.isolated():
        EntityRegistry.register_lazy("counter", "support:CounterSchema")
        assert EntityRegistry.loaded_schemas() == []
        assert EntityRegistry.get_schema("counter") is CounterSchema


def test_the_same_lazy_registration_again_changes_nothing_before_and_after_loading():
    with EntityRegistry.isolated():
        EntityRegistry.register_lazy("counter", "support:CounterSchema")
        EntityRegistry.register_lazy("counter", "support:CounterSchema")
        EntityRegistry.get_schema("counter")
        EntityRegistry.register_lazy("counter", "support:CounterSchema")
        assert EntityRegistry.get_schema("counter") is CounterSchema


def test_a_lazy_registration_from_another_place_is_an_error():
    with EntityRegistry.isolated():
        EntityRegistry.register_lazy("counter", "support:CounterSchema")
        with pytest.raises(SchemaInvalidError):
            EntityRegistry.register_lazy("counter", "support:PlaylistSchema")


@pytest.mark.parametrize("schema", [dict, object(), {"entity_type": "thing"}, None])
def test_what_is_no_entity_schema_is_refused(schema):
    with pytest.raises(SchemaInvalidError):
        EntityRegistry.register("thing", schema)


KEY = {"id": {"type": "uuid", "primary_key": True}}


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"fields": {}}, "fields"),
        ({"fields": None}, "fields"),
        ({"fields": {"id": "uuid"}}, "fields.id"),
        ({"fields": {"id": {"type": "sting"}}}, "unknown field type 'sting'"),
        ({"fields": {"id": {"type": "uuid"}}}, "no field is the primary key"),
        ({"fields": {"id": {"type": "float", "primary_key": True}}}, "cannot be a key"),
        ({"fields": {"id": {"type": "list", "items": "text", "primary_key": True}}}, "cannot be a key"),
        ({"fields": {**KEY, "class": {"type": "text"}}}, "'class'"),
        ({"fields": {**KEY, "Name": {"type": "text"}}}, "is not a name"),
        ({"fields": {**KEY, "n": {"type": "integer", "max_length": 3}}}, "max_length"),
        ({"fields": {**KEY, "n": {"type": "integer", "default": "many"}}}, "does not fit"),
        ({"fields": {**KEY, "n": {"type": "integer", "default": None}}}, "not nullable"),
        ({"fields": {**KEY, "n": {"type": "text", "nullabel": True}}}, "nullabel"),
        ({"fields": {**KEY, "p": {"type": "decimal"}}}, "needs 'precision'"),
        ({"fields": {**KEY, "e": {"type": "enum", "values": ["a", "a"]}}}, "named twice"),
        ({"fields": {**KEY, "t": {"type": "text", "pattern": "("}}}, "not a regular expression"),
        ({"fields": KEY, "indexes": [{"fields": ["nam"]}]}, "unknown field 'nam'"),
        ({"fields": KEY, "natural_key": "id"}, "not a unique string"),
        ({"fields": KEY, "events": "durable"}, "not supported by this version yet"),
        ({"table_name": "things; DROP TABLE playlists"}, "is not a name"),
    ],
)
def test_a_schema_that_contradicts_the_language_is_refused_with_the_reason(attributes, problem):
    with pytest.raises(SchemaInvalidError) as caught:
        EntityRegistry.register("thing", made(**attributes))
    assert problem in caught.value.message
    assert caught.value.context["problems"]
    assert "thing" not in EntityRegistry.list_entity_types()


@pytest.mark.parametrize(
    "field",
    [
        {"type": "datetime", "default": "2026-11-24T12:00:00+02:00"},
        {"type": "list", "items": "datetime", "default": ["2026-11-24T12:00:00+02:00"]},
    ],
)
def test_a_literal_default_for_a_datetime_is_refused(field):
    with pytest.raises(SchemaInvalidError, match="use now"):
        EntityRegistry.register("thing", made(fields={**KEY, "at": field}))


def test_all_problems_of_a_schema_are_told_at_once():
    fields = {**KEY, "a": {"type": "decimal"}, "b": {"type": "text", "minimum": 1}}
    with pytest.raises(SchemaInvalidError) as caught:
        EntityRegistry.register("thing", made(fields=fields))
    assert len(caught.value.context["problems"]) == 3


def test_a_second_package_with_migrations_is_refused_by_name():
    EntityRegistry.register_migrations("one_entities", "aaaa")
    EntityRegistry.register_migrations("one_entities", "bbbb")
    with pytest.raises(SchemaInvalidError, match="other_entities cannot be used beside one_entities"):
        EntityRegistry.register_migrations("other_entities", "cccc")
    assert EntityRegistry.migration_heads() == {"one_entities": "bbbb"}


@pytest.mark.parametrize(
    ("name", "meant"), [("soft_deleted", "soft_delete"), ("gaurds", "guards"), ("query", "queries")]
)
def test_an_attribute_that_is_nearly_one_that_counts_is_refused(name, meant):
    fields = {"id": {"type": "integer", "primary_key": True}}
    schema = type(
        "NearSchema", (EntitySchema,), {"entity_type": "near", "table_name": "nears", "fields": fields, name: "x"}
    )
    with pytest.raises(SchemaInvalidError, match=f"{name}: unknown attribute; did you mean '{meant}'"):
        EntityRegistry.register("near", schema)


def test_an_attribute_of_the_author_s_own_is_none_of_ours():
    class OwnSchema(EntitySchema):
        entity_type = "own"
        table_name = "owns"
        fields = {"id": {"type": "integer", "primary_key": True}}
        colour = "red"

    EntityRegistry.register("own", OwnSchema)
