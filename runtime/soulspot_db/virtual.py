"""Models with virtual fields: each may be given in place of the stored field that it stands for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

from pydantic import BaseModel, model_validator

from soulspot_db.entity import UNSET, EntityCreate, EntityUpdate
from soulspot_db.language.virtual import VirtualId, given_as_stored, read

__all__ = ["VirtualCreate", "VirtualId", "VirtualUpdate", "read"]


class _VirtualFields(BaseModel):
    """What is common to what `save` and `update` take of an entity that has virtual fields."""

    _virtual: ClassVar[Mapping[str, VirtualId]] = MappingProxyType({})

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        super().__pydantic_init_subclass__(**options)
        cls._virtual = {
            name: virtual
            for name, field in cls.model_fields.items()
            for virtual in field.metadata
            if isinstance(virtual, VirtualId)
        }

    @model_validator(mode="before")
    @classmethod
    def _store_what_is_virtual(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return given_as_stored({name: value for name, value in given.items() if value is not UNSET}, cls._virtual)


class VirtualCreate(_VirtualFields, EntityCreate):
    """What `save` takes of such an entity."""

    @model_validator(mode="after")
    def _check_what_has_two_names(self) -> Self:
        for name, virtual in self._virtual.items():
            if getattr(self, virtual.field) is UNSET:  # its type cannot say that one of the two is required
                raise ValueError(f"{virtual.field} or {name} is required")
        return self


class VirtualUpdate(_VirtualFields, EntityUpdate):
    """What `update` takes of such an entity."""
