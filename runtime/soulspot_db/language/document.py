"""What one entity document, from YAML or from a Python class, may say: shapes and names, nothing across files."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from soulspot_db.language.field_document import FieldDocument
from soulspot_db.language.names import FieldName, IndexName, MemberName, Name, TableName
from soulspot_db.language.query_document import QueryDocument
from soulspot_db.language.strict import Document, Filter

__all__ = [
    "CacheDocument",
    "EntityDocument",
    "IndexDocument",
    "MixinDocument",
    "ModuleDocument",
    "RelationDocument",
    "RemovalDocument",
]


def _events(value: object) -> object:
    if value == "durable":
        raise ValueError("'events: durable' is not supported by this version yet")
    return value


class IndexDocument(Document):
    """An index over several fields, over expressions, or over part of the rows."""

    fields: Annotated[list[str], Field(min_length=1)] = Field(
        description="In the order of the index: `field`, `field desc`, `lower(field)` or `upper(field)`."
    )
    unique: bool = Field(False, description="No two rows have the same values; makes a `get_by_a_and_b` method.")
    where: Filter | None = Field(None, description="A filter: the index holds only the rows for which it does.")
    name: IndexName | None = Field(None, description="The index's name; default one made of the table's and fields'.")


class RelationDocument(Document):
    """A relation under a name of its own, or one that goes through another entity."""

    field: str | None = Field(
        None, description="The field with `references`: our own, or one of `entity` that refers to us."
    )
    entity: str | None = Field(None, description="`module.entity` at the other end; not needed for a field of our own.")
    through: str | None = Field(
        None, description="`module.entity` in between, which refers to us and to the other end: many belong to many."
    )
    position: str | None = Field(
        None, description="The field of the entity in between that counts from 0 in which order the rows are."
    )


class RemovalDocument(Document):
    """A tombstone: what happens to the values of a field that is gone."""

    data: Literal["discard", "archive"] = Field(description="What happens to the stored values.")
    reason: str = Field(description="Why, for whoever runs the migration.")


class CacheDocument(Document):
    """How long answers about this entity may be served from the cache, how many, and from where."""

    ttl: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] | None = Field(
        None, description="Seconds that a row may be served; default the database's cache_ttl."
    )
    max_size: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Entries kept at most; default the database's cache_max_size."
    )
    l2: bool = Field(True, description="Whether answers are kept in Redis as well, where there is one.")


class EntityDocument(Document):
    """One entity, as its YAML file says it."""

    entity_type: Name = Field(description="The entity's name in code and in the facade; default the file's name.")
    table_name: TableName = Field(
        description="The table's name; default the module's name or table_prefix, and the plural of the entity's."
    )
    description: str | None = Field(None, description="What one row is; shown in generated docstrings.")
    use: list[Name] = Field([], description="Mixins, from `_mixins/<name>.yaml`; their fields follow the entity's own.")
    renamed_from: Name | None = Field(
        None, description="The entity's former name: the next revision renames its table. It counts once, and may stay."
    )
    removed: dict[Name, RemovalDocument] = Field(
        {}, description="Columns that are gone, and what becomes of their values; may stay."
    )
    natural_key: str | None = Field(
        None,
        description="A unique string field that `db.get` and the like take in place of the id; default the only one.",
    )
    fields: Annotated[dict[FieldName, FieldDocument], Field(min_length=1)] = Field(
        description="The fields, by name; a field is required unless it is nullable or has a default.",
        json_schema_extra={"additionalProperties": False},  # beside the names that Pydantic makes a pattern of
    )
    primary_key: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="The fields of a composite key, in its order, instead of `primary_key: true` on one field."
    )
    indexes: list[IndexDocument] = Field(
        [], description="Indexes over several fields, expressions or part of the rows."
    )
    checks: dict[Name, Filter] = Field({}, description="Filters that every row must pass, by the constraint's name.")
    guards: dict[Name, Filter] = Field({}, description="Filters, by name: a row for which one holds cannot be deleted.")
    relations: dict[MemberName, RelationDocument] = Field(
        {}, description="Relations that no `references` makes by itself, or under another name."
    )
    queries: dict[MemberName, QueryDocument] = Field(
        {}, description="Named queries, each of which becomes a typed method of the repository."
    )
    expires: str | None = Field(
        None, description="A datetime field: rows past it are not found, and `purge_expired` deletes them."
    )
    soft_delete: str | None = Field(
        None, description="A nullable datetime field: deleting sets it, and rows in which it is set are not found."
    )
    cache: Annotated[
        Annotated[CacheDocument, Tag("settings")] | Annotated[bool, Tag("switch")],
        Discriminator(lambda value: "settings" if isinstance(value, (dict, CacheDocument)) else "switch"),
    ] = Field(True, description="How rows are kept in the in-process cache; false: not at all.")
    events: Annotated[bool, BeforeValidator(_events)] = Field(True, description="Whether changes publish events.")
    expect_rows: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="How many rows there will be: from 10000 on, `generate` warns of named queries that read or sort all of them.",
    )


class MixinDocument(Document):
    """Fields that several entities share, as `_mixins/<name>.yaml` says them."""

    description: str | None = Field(None, description="What the mixin is for.")
    fields: Annotated[dict[FieldName, FieldDocument], Field(min_length=1)] = Field(
        description="The fields, as an entity has them."
    )
    indexes: list[IndexDocument] = Field([], description="Indexes, as an entity has them.")
    checks: dict[Name, Filter] = Field({}, description="Checks, as an entity has them.")


class ModuleDocument(Document):
    """A module, as its `_module.yaml` says it."""

    description: str | None = Field(None, description="What the module is about.")
    table_prefix: Name | None = Field(None, description="What its tables' names begin with; default the module's name.")
    removed: dict[Name, RemovalDocument] = Field(
        {}, description="Entities that are gone, and what becomes of their rows; may stay."
    )
