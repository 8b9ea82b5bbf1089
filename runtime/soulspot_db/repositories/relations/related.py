"""The rows at the other end of a relation, asked for by the values that link them to ours."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from soulspot_db.cache import tags
from soulspot_db.cache.question import question, row_question
from soulspot_db.cache.tags import Tag
from soulspot_db.entity import Entity
from soulspot_db.language.order import Order
from soulspot_db.language.predicates import is_timed
from soulspot_db.language.relations import RelationSpec
from soulspot_db.language.visibility import visible
from soulspot_db.registry import EntityRegistry
from soulspot_db.repositories.access import Filter
from soulspot_db.repositories.reading import ReadRepository
from soulspot_db.sessions.batching import ByKey, chunks
from soulspot_db.sessions.operations import Read, ReadMany
from soulspot_db.sessions.plan import Plan
from soulspot_db.sessions.session import HasSession

__all__ = ["RelatedRows"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about the rows of a relation, whoever they belong to: how, as a key, and what the answer depends on."""

    by: ByKey
    what: Hashable | None
    tags: tuple[Tag, ...]

    def of(self, key: Any) -> Hashable | None:
        """The place in the cache of the answer for one row; None where it is not kept."""
        return None if self.what is None else (self.what, row_question((key,)))


class RelatedRows(ReadRepository[Entity, Any]):
    """The rows of one relation.

    Args:
        db: where they are read.
        plan: the entity that has the relation.
        relation: the relation.
    """

    def __init__(self, db: HasSession, plan: Plan, relation: RelationSpec) -> None:
        self.schema = EntityRegistry.get_schema(relation.entity)  # type: ignore[misc]  # the class variable of others
        super().__init__(db)
        self._own = plan
        self._relation = relation

    def checked_key(self, key: Any, operation: str) -> Any:
        """The key of one of the rows; raises ValidationFailedError where it is none."""
        return self._plan.keys.values(key, operation)[0]

    def parsed_key(self, text: str, operation: str) -> Any:
        """The same of text."""
        return self._plan.keys.parse(text, operation)[0]

    async def parent(self, key: Any, *, fresh: bool) -> Entity | None:
        """The row with this key, asked for together with others."""
        return await self._find((key,), self._relation.name, fresh=fresh, together=True)

    async def parents(self, keys: Collection[Any], *, fresh: bool) -> dict[Any, Entity | None]:
        """The rows with these keys."""
        return dict(zip(keys, await self._find_many([(key,) for key in keys], fresh=fresh), strict=True))

    async def children(self, key: Any, where: Filter, order_by: Order, limit: int | None, *, fresh: bool) -> list[Any]:
        """The rows that are linked with one, asked for together with those of others."""
        asked = self._asked(where, order_by, limit)
        request: Read[Sequence[Any]] = Read(
            region=self._region,
            key=asked.of(key),
            tags=asked.tags,
            statement=lambda: asked.by.select([key]),
            decode=tuple,
            fresh=fresh,
            batch=(asked.by, key),
            each=lambda row: self._decode(row[:-1]),
        )
        found: Sequence[Any] = await self._ask(self._relation.name, request)
        return list(found)

    async def children_of(
        self, keys: Sequence[Any], where: Filter, order_by: Order, limit: int | None, *, fresh: bool
    ) -> dict[Any, Sequence[Any]]:
        """The rows that are linked with each of several."""
        asked = self._asked(where, order_by, limit)
        found: dict[Any, Sequence[Any]] = {}
        for some in chunks(keys):
            found |= await self._linked(asked, some, fresh=fresh)
        return found

    async def _linked(self, asked: _Asked, keys: Sequence[Any], *, fresh: bool) -> Mapping[Any, Sequence[Any]]:
        name = self._relation.local
        stored = {self._own.codec.encode(name, key): key for key in keys}
        places: dict[Any, Hashable] = {}
        for number, key in enumerate(keys):
            place = asked.of(key)
            places[key] = number if place is None else place

        def grouped(wanted: Collection[Hashable], rows: Sequence[Any]) -> Mapping[Hashable, Sequence[Any]]:
            found: dict[Hashable, list[Any]] = {place: [] for place in wanted}
            for linked, model in rows:
                if (place := places[stored[linked]]) in found:
                    found[place].append(model)
            return {place: tuple(models) for place, models in found.items()}

        request: ReadMany[Sequence[Any]] = ReadMany(
            region=self._region,
            asked=dict.fromkeys(places.values(), asked.tags),
            keys={place: key for key, place in places.items()},
            by=asked.by,
            each=lambda row: (row[-1], self._decode(row[:-1])),
            decode=grouped,
            fresh=fresh or asked.what is None,
        )
        answers = await self._ask_many(name, request)
        return {key: answers[place] for key, place in places.items()}

    def _asked(self, where: Filter, order_by: Order, limit: int | None) -> _Asked:
        plan, relation = self._own, self._relation
        predicate, order = self._filter(where, relation.name), self._order(order_by, relation.name)
        most = None if limit is None else self._amount("limit", limit)
        between = None if relation.through is None else plan.find(relation.through.entity)
        what = question(relation.name, plan.spec.entity_type, where, order_by, limit)
        link, queries = plan.link(relation), self._plan.queries
        by = None if what is None else plan.children.get(what)
        if by is None:
            by = ByKey(
                lambda keys: queries.children(link, keys, predicate, order, most),
                -1,
                lambda key: plan.codec.encode(relation.local, key),
            )
            if what is not None:
                plan.children[what] = by
        lasts = self._lasts(predicate) and (between is None or not is_timed(visible(between)))
        through = [] if between is None else [tags.table(between.table_name)]
        return _Asked(by, what if lasts else None, (*self._plan.read_tags(predicate), *through))
