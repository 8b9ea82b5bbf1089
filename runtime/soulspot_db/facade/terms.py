"""What text and dicts of the facade mean to a repository, and its rows to the facade."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from soulspot_db.cache.question import question
from soulspot_db.cache.region import MISS
from soulspot_db.cache.tags import Tag
from soulspot_db.entity import Entity, EntitySchema
from soulspot_db.errors import NotFoundError, ValidationFailedError
from soulspot_db.fairness import spread
from soulspot_db.language.predicates import Compare
from soulspot_db.language.scope import stored_name
from soulspot_db.language.visibility import EVERYBODY, Visibility, latest
from soulspot_db.repositories.access import first
from soulspot_db.repositories.refusals import refused_input
from soulspot_db.repositories.repository import Repository
from soulspot_db.sessions.plan import Key
from soulspot_db.sessions.session import HasSession
from soulspot_db.sql.clauses import FirstOf, Where

__all__ = ["Record", "RecordTerms"]

Input = TypeVar("Input", bound=BaseModel)
Record = dict[str, Any]


class RecordTerms(Repository[Entity, Any]):
    """A repository that knows what an id in text means, and makes dicts of its rows."""

    def __init__(self, db: HasSession, schema: type[EntitySchema], also: Visibility = EVERYBODY) -> None:
        self.schema = schema  # type: ignore[misc]  # the class variable of generated subclasses
        super().__init__(db, also)

    async def _look_up(self, entity_id: str, *, fresh: bool) -> Entity | None:
        if self._plan.spec.natural_key is None:
            return await self._find(self._plan.keys.parse(entity_id, "get"), "get", fresh=fresh)
        asking = question("look_up", entity_id)
        if (found := self._remembered("get", asking, fresh=fresh)) is not MISS:
            return first(found)
        key, where = self._locate(entity_id, "get")

        def narrow(rows: Sequence[Entity]) -> Collection[Tag] | None:
            tags = self._row_tags_of(rows)
            # Found by its natural key, it is the answer only as long as no row has the text for its primary key.
            return tags if tags is None or key is None else {*tags, *self._plan.row_tags(key)}

        statement = self._by_unique(where)
        return first(await self._found("get", asking, statement, narrow=narrow, fresh=fresh, point=True))

    def _locate(self, entity_id: str, operation: str) -> tuple[Key | None, Where]:
        """What an id can mean: the key if the text can be one, and the predicate that finds the row."""
        plan = self._plan
        natural = plan.spec.natural_key
        if natural is None:
            key = plan.keys.parse(entity_id, operation)
            return key, plan.by_key(key)
        if not isinstance(entity_id, str):
            raise self._refuse(operation, f"the primary key or the {natural} as text, such as str(row.id)")
        by_natural = cast("Compare", self._filter({natural: {"eq": entity_id}}, operation))
        try:
            key = plan.keys.parse(entity_id, operation)
        except ValidationFailedError:
            return None, by_natural
        return key, FirstOf((Compare(plan.spec.key[0], "eq", key), by_natural), latest(plan.spec))

    async def _meant(self, entity_id: str, operation: str) -> tuple[Key | None, Where]:
        """What an id means to a write: one row, also where those that were deleted may have the same natural key."""
        spec = self._plan.spec
        key, where = self._locate(entity_id, operation)
        if spec.natural_key is None or spec.soft_delete is None or not self._plan.visibility.deleted:
            return key, where
        row = await self._look_up(entity_id, fresh=True)
        if row is None:
            return key, where
        found = self._plan.key_of(row)
        return found, self._plan.by_key(found)

    def _touched(self, key: Key | None, where: Where) -> set[Tag]:
        return self._plan.touched(() if key is None or isinstance(where, FirstOf) else [key])

    def _no_row(self, entity_id: str) -> NotFoundError:
        spec = self._plan.spec
        natural = () if spec.natural_key is None else (spec.fields[stored_name(spec.natural_key, spec)],)
        return self._not_found(entity_id, (*spec.key_fields, *natural))

    def _id(self, row: tuple[Any, ...]) -> str:
        codec = self._plan.codec
        return self._plan.keys.text(codec.decode_key(codec.stored_key(row)))

    def _id_of(self, model: Entity) -> str:
        return self._plan.keys.text(self._plan.key_of(model))

    def _checked(self, model: type[Input], data: Mapping[str, Any], operation: str) -> Input:
        if not isinstance(data, Mapping):
            raise self._refuse(operation, f"a dict of fields, got {type(data).__name__}")
        try:
            return model.model_validate(dict(data))
        except ValidationError as error:
            raise refused_input(error, self._plan.spec, operation) from None

    async def _exported(self, models: Sequence[Entity | None]) -> list[Any]:
        export = self._plan.codec.export
        return await spread(models, lambda model: None if model is None else export(model), self._plan.turns)
