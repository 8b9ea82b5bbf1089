"""Factories: valid rows of any entity, made from its schema, for tests that need some and do not care which."""

import copy
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, overload

from soulspot_db.entity import Entity, EntityCreate, EntitySchema
from soulspot_db.errors import ConstraintViolationError, SchemaInvalidError
from soulspot_db.facade.service import DatabaseService
from soulspot_db.registry import EntityRegistry
from soulspot_db.repositories.repository import Repository
from soulspot_db.schema import ResolvedSchema, resolved
from soulspot_db.testing.references import References
from soulspot_db.testing.rows import Rows

__all__ = ["Factories"]

Create = TypeVar("Create", bound=EntityCreate)
Model = TypeVar("Model", bound=Entity)
T = TypeVar("T")
_ATTEMPTS = 100


class Factories:
    """Makes rows that pass every rule of their schema: `track = await factories.create("track", title="Alone")`.

    Only what a row needs gets a value: fields with a default keep it, nullable ones are None. `factories.full` fills
    nullable fields as well. What is given stays as it is.

    Args:
        db: where `create` saves.
        seed: the same seed and the same calls make the same rows; only `now` is the time it is.
    """

    def __init__(self, db: DatabaseService, *, seed: int = 0) -> None:
        self._db = db
        self._rows = Rows(seed)
        self._full = False

    @property
    def full(self) -> "Factories":
        """The same factories, for rows with a value in every field."""
        return self._copy(full=True)

    def _copy(self, *, full: bool) -> "Factories":
        other = copy.copy(self)  # what is counted and taken stays in common
        other._full = full  # noqa: SLF001 - our own
        return other

    def seed(self, seed: int) -> None:
        """Start over with another seed."""
        self._rows.seed(seed)

    @overload
    def build(self, entity: type[Create], /, **given: Any) -> Create: ...
    @overload
    def build(self, entity: str, /, **given: Any) -> EntityCreate: ...
    def build(self, entity: type[EntityCreate] | str, /, **given: Any) -> EntityCreate:
        """A row that is not saved. References that are not given hold keys of no row.

        Args:
            entity: the entity type, or the generated model of a new row, `TrackCreate`.
            given: values of fields.

        Raises:
            UnknownEntityError: no such entity type.
            UnknownFieldError: the entity has no field of a given name.
            ValidationFailedError: a given value breaks its field's rules, or the rest could not be guessed.
        """
        schema = EntityRegistry.get_schema(entity) if isinstance(entity, str) else _schema_of(entity)
        return self._rows.draw(resolved(schema), given, full=self._full)

    @overload
    async def create(self, entity: type[Repository[Model, Any]], /, **given: Any) -> Model: ...
    @overload
    async def create(self, entity: str, /, **given: Any) -> dict[str, Any]: ...
    async def create(self, entity: type[Repository[Any, Any]] | str, /, **given: Any) -> Any:
        """A saved row, and the rows that it must refer to.

        Args:
            entity: the entity type, for a row as the facade gives it, or the generated repository, for a model.
            given: values of fields.

        Raises:
            ConstraintViolationError: the database refuses what was given.
            DatabaseError: as `build`.
        """
        if isinstance(entity, str):
            return await self._create(entity, given, ())
        repository = entity(self._db)
        return await self._insert(resolved(entity.schema), given, (), repository._save)  # noqa: SLF001 - only subclasses name it

    async def _create(self, entity_type: str, given: Mapping[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        async def save(new: EntityCreate) -> dict[str, Any]:
            made = await self._db.save(entity_type, new.__dict__)
            # Also one that is made so that it is not found.
            return await self._db.with_deleted.with_expired.get_or_raise(entity_type, made)

        return await self._insert(resolved(EntityRegistry.get_schema(entity_type)), given, within, save)

    async def _insert(
        self,
        schema: ResolvedSchema,
        given: Mapping[str, Any],
        within: tuple[str, ...],
        save: Callable[[EntityCreate], Awaitable[T]],
    ) -> T:
        """Save a row; one made in another way may hold a unique value that was drawn, so draw again then.

        Args:
            schema: the entity.
            given: values of fields.
            within: the entity types whose rows wait for this one, because they refer to it.
            save: saves the row.
        """
        references = References(schema, self._rows, full=self._full)
        own = references.own_key(given)
        # The rows referred to are as small as can be, whatever this one is.
        known = await references.make(own, within, self._copy(full=False)._create)  # noqa: SLF001 - our own
        for attempt in range(1, _ATTEMPTS + 1):
            new = self._rows.draw(schema, own, full=self._full, known=known)
            try:
                return await save(new)
            except ConstraintViolationError as error:
                fields = set(str(error.context["field"] or "").split(", "))
                is_taken = error.context["kind"] in {"unique", "primary key"} and not fields.issubset(own)
                if not is_taken or attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")


def _schema_of(model: type[EntityCreate]) -> type[EntitySchema]:
    # Generated code has an entity's schema and models in one module.
    for value in vars(sys.modules[model.__module__]).values():
        if isinstance(value, type) and issubclass(value, EntitySchema) and value.create_model is model:
            return value
    raise SchemaInvalidError(
        f"{model.__qualname__} is not the input model of a generated entity",
        "Give the name of the entity type instead.",
        operation="build",
    )
