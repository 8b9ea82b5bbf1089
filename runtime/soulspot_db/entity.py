"""What an entity is in Python: frozen rows, input models, and the schema class that ties them to a table."""

from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, model_validator

from soulspot_db.language.field import INPUT_CONFIG
from soulspot_db.typing import (
    CheckDocuments,
    FieldDocuments,
    IndexDocuments,
    QueryDocuments,
    RelationDocuments,
    SqlAnalyses,
)

__all__ = ["UNSET", "Entity", "EntityCreate", "EntitySchema", "EntityUpdate"]


class _Unset(Enum):
    """The type of UNSET: an enum's member stays the one object that it is when it is copied or pickled."""

    UNSET = None

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__


UNSET: Any = _Unset.UNSET
"""The value of every field of an update that is to stay as it is; giving it is the same as leaving the field out."""


class Entity(BaseModel):
    """A stored row. Frozen, so that the cache can hand one object to every caller."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class EntityCreate(BaseModel):
    """What `save` takes: the entity's fields with all their rules; those with a default may be left out."""

    model_config = INPUT_CONFIG


class EntityUpdate(BaseModel):
    """What `update` takes: the fields to change. A field left out, or UNSET, stays as it is; None is a value."""

    model_config = INPUT_CONFIG

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_unset(cls, given: Any) -> Any:
        return (
            {name: value for name, value in given.items() if value is not UNSET} if isinstance(given, dict) else given
        )


class EntitySchema:
    """How an entity is stored. Subclass it to write one by hand, with `fields` and `indexes` as YAML says them.

    A schema without `model`, `create_model`, `update_model` and `table` gets them made from its fields; generated ones
    bring their own. `sql` is what the generator found out of queries in SQL, and `cascades` names the tables that lose or change rows when a row of this one is deleted.
    """

    entity_type: ClassVar[str]
    table_name: ClassVar[str]
    description: ClassVar[str | None] = None
    fields: ClassVar[FieldDocuments]
    indexes: ClassVar[IndexDocuments] = ()
    checks: ClassVar[CheckDocuments] = MappingProxyType({})
    guards: ClassVar[CheckDocuments] = MappingProxyType({})
    primary_key: ClassVar[tuple[str, ...] | None] = None
    relations: ClassVar[RelationDocuments] = MappingProxyType({})
    queries: ClassVar[QueryDocuments] = MappingProxyType({})
    sql: ClassVar[SqlAnalyses] = MappingProxyType({})
    natural_key: ClassVar[str | None] = None
    events: ClassVar[bool] = True
    cache: ClassVar[bool | dict[str, Any]] = True
    expires: ClassVar[str | None] = None
    soft_delete: ClassVar[str | None] = None
    cascades: ClassVar[tuple[str, ...]] = ()
    model: ClassVar[type[Entity] | None] = None
    create_model: ClassVar[type[EntityCreate] | None] = None
    update_model: ClassVar[type[EntityUpdate] | None] = None
    table: ClassVar[sa.Table | None] = None
