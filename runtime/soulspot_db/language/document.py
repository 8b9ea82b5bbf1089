"""What one entity document, from YAML or from a Python class, may say: shapes and names, nothing across files."""

import keyword
import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from soulspot_db.language.nearest import nearest
from soulspot_db.language.types import TYPES

__all__ = [
    "LATER_KEYS",
    "MAX_NAME",
    "CacheDocument",
    "EntityDocument",
    "FieldDocument",
    "IndexDocument",
    "ItemsDocument",
    "MixinDocument",
    "ModuleDocument",
    "RemovalDocument",
]

# PostgreSQL cuts longer identifiers short, and two cut names may then be the same.
MAX_NAME = 63

# Keys of the language that this version does not read yet; named so that the error can say so.
LATER_KEYS = frozenset({"relations", "queries", "expires", "soft_delete", "encrypted", "l2"})

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = frozenset(
    {"and", "or", "not", "copy", "json", "dict", "schema", "construct", "validate", "fields_set"}
    | {"from_orm", "parse_file", "parse_obj", "parse_raw", "schema_json", "update_forward_refs"}
    # A class body that gives these a value takes them away from the annotations that follow.
    | {"bool", "bytes", "float", "int", "str", "tuple"}
)

_OUR_PREFIXES = {"soulspot_db_": "soulspot-db's own", "archived_": "those of archives"}


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name: use lower-case letters, digits and underscores")
    if len(value) > MAX_NAME:
        raise ValueError(f"the name {value!r} is {len(value)} characters long; at most {MAX_NAME} fit")
    if value in {"nothing", "returning"}:
        raise ValueError(f"{value!r} is not possible: SQLite keeps the word for itself")
    return value


def _index_name(value: str) -> str:
    if value.startswith("sqlite_"):
        raise ValueError(f"{value!r} is not possible: SQLite keeps names that begin with 'sqlite_' for itself")
    return _name(value)


def _table_name(value: str) -> str:
    for prefix, owner in _OUR_PREFIXES.items():
        if value.startswith(prefix):
            message = f"{value!r} is not possible: tables whose names begin with {prefix!r} are {owner}"
            hint = "give the table another name with 'table_name', or the module's with 'table_prefix' in _module.yaml"
            raise PydanticCustomError("reserved_name", "{message}", {"message": message, "hint": hint})
    return _index_name(value)


def _field_name(value: str) -> str:
    _name(value)
    if keyword.iskeyword(value) or value in _RESERVED or value.startswith("model_"):
        message = f"{value!r} is a name that Python or Pydantic keeps for itself"
        hint = f"rename the field and keep the database's name with 'column: {value}'"
        raise PydanticCustomError("reserved_name", "{message}", {"message": message, "hint": hint})
    return value


def _type_name(value: object) -> object:
    if not isinstance(value, str) or value not in TYPES:
        hint = nearest(str(value), TYPES) or f"the types are {', '.join(TYPES)}"
        raise PydanticCustomError(
            "unknown_type", "{message}", {"message": f"unknown field type {value!r}", "hint": hint}
        )
    return value


# What the validators say in Python, as editors can read it.
_NAME_SCHEMA = {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": MAX_NAME}

Name = Annotated[str, AfterValidator(_name), WithJsonSchema(_NAME_SCHEMA)]
IndexName = Annotated[
    str, AfterValidator(_index_name), WithJsonSchema({**_NAME_SCHEMA, "pattern": f"^(?!sqlite_){_NAME.pattern}$"})
]
_PREFIXES = "|".join(("sqlite_", *_OUR_PREFIXES))
TableName = Annotated[
    str, AfterValidator(_table_name), WithJsonSchema({**_NAME_SCHEMA, "pattern": f"^(?!{_PREFIXES}){_NAME.pattern}$"})
]
FieldName = Annotated[str, AfterValidator(_field_name), WithJsonSchema(_NAME_SCHEMA)]
TypeName = Annotated[str, BeforeValidator(_type_name), WithJsonSchema({"type": "string", "enum": [*TYPES]})]


def _literal(value: object) -> object:
    if isinstance(value, dict):
        for item in value.values():
            _literal(item)
    elif isinstance(value, list):
        for item in value:
            _literal(item)
    elif value is not None and not isinstance(value, (str, int, float)):
        raise ValueError("a default is text, a number, true, false, null, or a list or a mapping of these")
    return value


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError("the number is too large")
    return value


def _events(value: object) -> object:
    if value == "durable":
        raise ValueError("'events: durable' is not supported by this version yet")
    return value


def _deprecation(value: object) -> object:
    if not isinstance(value, (bool, str)):
        raise ValueError("expected true, or text that says what to use instead")
    return value


# Checked by one function each: a union would report every member that the value is not.
Literals = Annotated[Any, AfterValidator(_literal), WithJsonSchema({})]
Deprecation = Annotated[Any, AfterValidator(_deprecation), WithJsonSchema({"type": ["boolean", "string"]})]
Filter = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
Number = Annotated[Any, AfterValidator(_number), WithJsonSchema({"type": "number"})]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_NO_ITEMS = frozenset({"bytes", "decimal", "enum", "json", "list"})


def _or_name(schema: dict[str, Any]) -> None:
    """Let the JSON Schema take the type's name as well, as `_from_name` does."""
    mapping = {key: value for key, value in schema.items() if key != "title"}
    schema.clear()
    schema["anyOf"] = [mapping["properties"]["type"], mapping]


class ItemsDocument(_Document):
    """The items of a list: a scalar type, by its name or as `{type: ...}`."""

    model_config = ConfigDict(json_schema_extra=_or_name)

    type: TypeName = Field(
        description="The type of the items.",
        json_schema_extra={"enum": [name for name in TYPES if name not in _NO_ITEMS]},
    )

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _scalar(self) -> Self:
        if self.type in _NO_ITEMS:
            raise ValueError(f"items cannot be of type {self.type!r}; use a plain scalar type")
        return self


class FieldDocument(_Document):
    """One field: its type, its rules and how the database stores it."""

    type: TypeName = Field(description="The field's type.")
    column: Name | None = Field(None, description="The column's name, where it is not the field's.")
    description: str | None = Field(None, description="What the field means; shown in generated docstrings.")
    primary_key: bool = Field(False, description="The field is the entity's key.")
    unique: bool = Field(False, description="No two rows have the same value; makes a `get_by_` method.")
    index: bool = Field(False, description="The database keeps an index on the field.")
    nullable: bool = Field(False, description="The value may be missing.")
    default: Literals = Field(
        None, description="A literal, or `now` for a datetime, `uuid4` or `uuid7` for a uuid, made by the runtime."
    )
    on_update: Literal["now"] | None = Field(None, description="`now`: set to the current time on every update.")
    max_length: Annotated[int, Field(ge=1)] | None = Field(None, description="The most characters of a text, or bytes.")
    pattern: str | None = Field(None, description="A regular expression that the whole text must match on input.")
    minimum: Number | None = Field(None, description="The smallest value accepted on input.")
    maximum: Number | None = Field(None, description="The largest value accepted on input.")
    precision: Annotated[int, Field(ge=1, le=18)] | None = Field(None, description="All digits of a decimal.")
    scale: Annotated[int, Field(ge=0, le=18)] | None = Field(None, description="Digits after the point of a decimal.")
    values: Annotated[list[str], Field(min_length=1)] | None = Field(None, description="The values of an enum.")
    items: ItemsDocument | None = Field(None, description="The type of a list's items.")
    references: str | None = Field(None, description="`module.entity` whose primary key this field holds.")
    on_delete: Literal["cascade", "set_null", "restrict"] | None = Field(
        None, description="What happens to this row when the referenced one is deleted; default restrict."
    )
    sensitive: bool = Field(False, description="The value is left out of what a row prints as.")
    deprecated: Deprecation = Field(False, description="`true`, or what to use instead; shown in docstrings.")
    renamed_from: Name | None = Field(
        None, description="The column's former name: the next revision renames it. It counts once, and may stay."
    )
    backfill: Literals = Field(
        None,
        description="What rows that exist get in a new required field; for a datetime `now`, the time of the migration.",
    )


class IndexDocument(_Document):
    """An index over several fields, over expressions, or over part of the rows."""

    fields: Annotated[list[str], Field(min_length=1)] = Field(
        description="In the order of the index: `field`, `field desc`, `lower(field)` or `upper(field)`."
    )
    unique: bool = Field(False, description="No two rows have the same values; makes a `get_by_a_and_b` method.")
    where: Filter | None = Field(None, description="A filter: the index holds only the rows for which it does.")
    name: IndexName | None = Field(None, description="The index's name; default one made of the table's and fields'.")


class RemovalDocument(_Document):
    """A tombstone: what happens to the values of a field that is gone."""

    data: Literal["discard", "archive"] = Field(description="What happens to the stored values.")
    reason: str = Field(description="Why, for whoever runs the migration.")


class CacheDocument(_Document):
    """How long rows of this entity may be served from the in-process cache, and how many."""

    ttl: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] | None = Field(
        None, description="Seconds that a row may be served; default the database's cache_ttl."
    )
    max_size: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Entries kept at most; default the database's cache_max_size."
    )


class EntityDocument(_Document):
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
    cache: Annotated[
        Annotated[CacheDocument, Tag("settings")] | Annotated[bool, Tag("switch")],
        Discriminator(lambda value: "settings" if isinstance(value, (dict, CacheDocument)) else "switch"),
    ] = Field(True, description="How rows are kept in the in-process cache; false: not at all.")
    events: Annotated[bool, BeforeValidator(_events)] = Field(True, description="Whether changes publish events.")


class MixinDocument(_Document):
    """Fields that several entities share, as `_mixins/<name>.yaml` says them."""

    description: str | None = Field(None, description="What the mixin is for.")
    fields: Annotated[dict[FieldName, FieldDocument], Field(min_length=1)] = Field(
        description="The fields, as an entity has them."
    )
    indexes: list[IndexDocument] = Field([], description="Indexes, as an entity has them.")
    checks: dict[Name, Filter] = Field({}, description="Checks, as an entity has them.")


class ModuleDocument(_Document):
    """A module, as its `_module.yaml` says it."""

    description: str | None = Field(None, description="What the module is about.")
    table_prefix: Name | None = Field(None, description="What its tables' names begin with; default the module's name.")
    removed: dict[Name, RemovalDocument] = Field(
        {}, description="Entities that are gone, and what becomes of their rows; may stay."
    )
