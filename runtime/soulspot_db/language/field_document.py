"""What a document may say of one field."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from soulspot_db.language.names import Name
from soulspot_db.language.nearest import nearest
from soulspot_db.language.strict import Document, Literals, Number
from soulspot_db.language.types import TYPES

__all__ = ["FieldDocument", "ItemsDocument", "VirtualDocument"]


def _type_name(value: object) -> object:
    if not isinstance(value, str) or value not in TYPES:
        hint = nearest(str(value), TYPES) or f"the types are {', '.join(TYPES)}"
        raise PydanticCustomError(
            "unknown_type", "{message}", {"message": f"unknown field type {value!r}", "hint": hint}
        )
    return value


TypeName = Annotated[str, BeforeValidator(_type_name), WithJsonSchema({"type": "string", "enum": [*TYPES]})]


def _deprecation(value: object) -> object:
    if not isinstance(value, (bool, str)):
        raise ValueError("expected true, or text that says what to use instead")
    return value


Deprecation = Annotated[Any, AfterValidator(_deprecation), WithJsonSchema({"type": ["boolean", "string"]})]

_NO_ITEMS = frozenset({"bytes", "decimal", "enum", "json", "list"})


def _or_name(schema: dict[str, Any]) -> None:
    """Let the JSON Schema take the type's name as well, as `_from_name` does."""
    mapping = {key: value for key, value in schema.items() if key != "title"}
    schema.clear()
    schema["anyOf"] = [mapping["properties"]["type"], mapping]


class ItemsDocument(Document):
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


class VirtualDocument(Document):
    """What a virtual field is made of."""

    field: str = Field(description="The stored field, a text, whose values begin with the prefix.")
    prefix: Annotated[str, Field(min_length=1)] = Field(description="What is left out of them.")


class FieldDocument(Document):
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
    version: bool = Field(
        False,
        description="Counts the changes of a row: an update that is given the number it has read is refused where it is another "
        "by now.",
    )
    exclusive: bool | Annotated[list[str], Field(min_length=1)] = Field(
        False,
        description="At most one row has true, or one of those with the same values of these fields: who gets it takes it from the "
        "one that has it.",
    )
    virtual: VirtualDocument | None = Field(
        None,
        description="The field is not stored: it is another one without the prefix of its values, and may be given instead.",
    )
    sensitive: bool = Field(False, description="The value is left out of what a row prints as.")
    encrypted: bool = Field(
        False,
        description="The database holds the value encrypted, by the newest of `ENCRYPTION_KEYS`; it is `sensitive`, and nothing "
        "can be asked of it but whether it is null.",
    )
    deprecated: Deprecation = Field(False, description="`true`, or what to use instead; shown in docstrings.")
    renamed_from: Name | None = Field(
        None, description="The column's former name: the next revision renames it. It counts once, and may stay."
    )
    backfill: Literals = Field(
        None,
        description="What rows that exist get in a new required field; for a datetime `now`, the time of the migration.",
    )
