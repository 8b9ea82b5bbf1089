"""An entity prepared for one database: its statements, codecs, cache region and tags, made once."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cachetools import LRUCache

from soulspot_db.batching import MOST, ByKey
from soulspot_db.cache import tags
from soulspot_db.cache.cache import Cache
from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.tags import Tag
from soulspot_db.codec import Codec, KeyCodec
from soulspot_db.defaults import utc_now
from soulspot_db.dialects import Dialect
from soulspot_db.entity import Entity, EntitySchema
from soulspot_db.events.rows import row_events
from soulspot_db.fairness import Turns
from soulspot_db.language.cascades import cascades
from soulspot_db.language.predicates import Compare, Group, Predicate, tables_of
from soulspot_db.language.relations import RelationSpec
from soulspot_db.language.spec import EntitySpec
from soulspot_db.monitoring.loops import LoopWatch
from soulspot_db.operations import Effects
from soulspot_db.query import Link, Queries
from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import ResolvedSchema, resolved

__all__ = ["Plan", "Plans"]

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Plan:
    """Everything a repository needs to know about its entity."""

    schema: ResolvedSchema
    spec: EntitySpec
    codec: Codec[Entity]
    keys: KeyCodec
    queries: Queries
    region: CacheRegion
    wanted: Callable[[str], bool]
    turns: Turns
    dialect: Dialect
    queries_of: Callable[[str], Queries]
    watch: LoopWatch
    by_one: ByKey | None
    """How rows are found by a key of one part, several at once."""

    @cached_property
    def made_now(self) -> tuple[str, ...]:
        """The fields whose default is the moment of the save."""
        return tuple(field.name for field in self.spec.fields.values() if field.made == "now")

    @cached_property
    def assigned(self) -> str | None:
        """The key, where the database gives its value."""
        return next((field.name for field in self.spec.key_fields if field.assigned), None)

    @cached_property
    def children(self) -> LRUCache[Hashable, ByKey]:
        """How the rows of relations are asked for, for those who ask the same at the same time."""
        return LRUCache(256)

    def link(self, relation: RelationSpec) -> Link:
        """How the rows of a relation are linked to ours."""
        name, through = (self.spec.entity_type, relation.name), relation.through
        if through is None:
            return Link(name, relation.remote)
        between = self.queries_of(through.entity)
        return Link(name, through.local, between, through.remote, relation.remote, through.position)

    def find(self, entity_type: str) -> EntitySpec:
        """Another entity, as filters see it."""
        return _spec_of(entity_type)

    def read_tags(self, predicate: Predicate | None) -> tuple[Tag, ...]:
        """What the rows that a predicate finds depend on."""
        return (*self.table_tags, *map(tags.table, tables_of(predicate)))

    def by_key(self, key: Key) -> Predicate:
        """The predicate that finds one row."""
        parts = tuple(Compare(name, "eq", (value,)) for name, value in zip(self.spec.key, key, strict=True))
        return parts[0] if len(parts) == 1 else Group("and", parts)

    def key_of(self, model: Entity) -> Key:
        """The primary key of a row."""
        return tuple(getattr(model, name) for name in self.spec.key)

    def row_tags(self, key: Key) -> tuple[Tag, ...]:
        """What a row read by its key depends on."""
        return (tags.row(self._bulk[0], key), self._bulk)

    @cached_property
    def _bulk(self) -> Tag:
        return tags.bulk(self.spec.table_name)

    @cached_property
    def table_tags(self) -> tuple[Tag, ...]:
        """What a query depends on."""
        return (tags.table(self.spec.table_name),)

    def touched(self, keys: Sequence[Key] = ()) -> set[Tag]:
        """What a write touches: the rows with these keys, or any row where they are not known or very many."""
        table = self.spec.table_name
        if not 0 < len(keys) <= MOST:
            return {tags.bulk(table), tags.table(table)}
        return {tags.table(table), *(tags.row(table, key) for key in keys)}

    def cascaded(self) -> set[Tag]:
        """What the database itself changes in other tables when rows of this one are deleted."""
        names = _cascades(self.schema)
        return {tag for name in names for tag in (tags.bulk(name), tags.table(name))}

    def effects(self, stored: Sequence[Sequence[Any]], what: str, fields: Sequence[str] | None = None) -> Effects:
        """The tags and events of a committed write: created, updated or deleted.

        Args:
            stored: the key columns of every row that was written.
            what: created, updated or deleted.
            fields: the names that were passed to an update.
        """
        if not stored:
            return Effects()
        topic = f"database.{self.spec.entity_type}.{what}"
        told = self.spec.events and self.wanted(topic)
        decoded = map(self.codec.decode_key, stored)  # of many rows, each when its event is made
        keys = list(decoded) if len(stored) <= MOST else []
        effects = Effects(tags=self.touched(keys))
        if told:
            ids = map(self.keys.text, keys or decoded)
            effects.events.append(row_events(topic, self.spec.entity_type, ids, fields, utc_now()))
        return effects


def _cascades(schema: ResolvedSchema) -> set[str]:
    """The tables that lose or change rows with those of `schema`.

    A generated schema names the generated ones; hand-written schemas, which it cannot know, may refer to any of these.
    """
    generated = set(schema.source.cascades)
    written = [resolved(other).spec for other in EntityRegistry.loaded_schemas() if other.table is None]
    targets = {
        field.references.rpartition(".")[2] for spec in written for field in spec.fields.values() if field.references
    }
    # Whether rows of a table are deleted or only changed, its name does not say: one invalidation too many is harmless.
    deleted = {
        name
        for name in targets.intersection(EntityRegistry.list_entity_types())
        if EntityRegistry.get_schema(name).table_name in generated
    }
    return generated | cascades({schema.spec.entity_type, *deleted}, written)


class Plans:
    """The plans of one database, by schema."""

    def __init__(self, cache: Cache, wanted: Callable[[str], bool], dialect: Dialect, watch: LoopWatch) -> None:
        self._watch = watch
        self._dialect = dialect
        self._cache = cache
        self._wanted = wanted
        self._plans: dict[type[EntitySchema], Plan] = {}

    @property
    def compiled(self) -> int:
        """How many compiled statements are held, of all entities."""
        return sum(plan.queries.shapes for plan in self._plans.values())

    def of(self, schema: type[EntitySchema]) -> Plan:
        """The plan of a schema, made on first use."""
        plan = self._plans.get(schema)
        if plan is None:
            plan = self._plans[schema] = self._make(schema)
        return plan

    def _make(self, schema: type[EntitySchema]) -> Plan:
        complete = resolved(schema)
        spec = complete.complete_spec(_spec_of)
        codec = Codec(spec, complete.model, self._dialect)
        queries = Queries(spec, complete.table, codec.encode, self._dialect, self._queries_of)
        return Plan(
            schema=complete,
            spec=spec,
            codec=codec,
            keys=KeyCodec(spec),
            queries=queries,
            region=self._cache.add_region(spec.cache),
            wanted=self._wanted,
            turns=self._cache.turns,
            dialect=self._dialect,
            queries_of=self._queries_of,
            watch=self._watch,
            by_one=_by_key(spec, queries, codec) if len(spec.key) == 1 else None,
        )

    def _queries_of(self, entity_type: str) -> Queries:
        return self.of(EntityRegistry.get_schema(entity_type)).queries


def _spec_of(entity_type: str) -> EntitySpec:
    return resolved(EntityRegistry.get_schema(entity_type)).spec


def _by_key(spec: EntitySpec, queries: Queries, codec: Codec[Entity]) -> ByKey:
    (name,) = spec.key
    return ByKey(
        lambda keys: queries.select(Compare(name, "in", tuple(keys))) if len(keys) > 1 else queries.find(keys),
        list(spec.fields).index(name),
        lambda key: codec.encode(name, key),
    )
