"""An entity prepared for one database: its statements, codecs, cache region and tags, made once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from cachetools import LRUCache

from soulspot_db.cache import tags
from soulspot_db.cache.cache import Cache
from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.tags import Tag
from soulspot_db.defaults import utc_now
from soulspot_db.encryption import Cipher
from soulspot_db.entity import Entity, EntitySchema
from soulspot_db.events.rows import row_events
from soulspot_db.fairness import Turns
from soulspot_db.language.cascades import cascades
from soulspot_db.language.predicates import Compare, Group, Predicate, is_timed, tables_of
from soulspot_db.language.relations import RelationSpec
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.visibility import EVERYBODY, Visibility, visible
from soulspot_db.monitoring.figures import EntityFigures, Figures
from soulspot_db.monitoring.loops import LoopWatch
from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import ResolvedSchema, resolved
from soulspot_db.sessions.batching import MOST, ByKey
from soulspot_db.sessions.operations import Effects
from soulspot_db.sql.codec import Codec, KeyCodec
from soulspot_db.sql.dialects import Dialect
from soulspot_db.sql.query import Queries
from soulspot_db.sql.selects import Link
from soulspot_db.sql.written import PreparedSql, prepared, row_reader

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
    cipher: Cipher
    by_one: ByKey | None
    """How rows are found by a key of one part, several at once."""
    visibility: Visibility
    figures: EntityFigures
    """What is counted of each operation."""

    @cached_property
    def visible(self) -> Predicate | None:
        """The condition for a row to be found, None where all are."""
        return visible(self.spec, self.visibility)

    @cached_property
    def is_timed(self) -> bool:
        """Whether rows cease to be found as time passes, so that no answer may be kept but that to a question for one by its key."""
        return is_timed(self.visible)

    def shown(self, model: Entity | None) -> Entity | None:
        """A row that was found by its key, if it is visible at this moment."""
        if model is None or self.visible is None:
            return model
        spec = self.spec
        if (
            spec.soft_delete is not None
            and not self.visibility.deleted
            and getattr(model, spec.soft_delete) is not None
        ):
            return None
        if spec.expires is None or self.visibility.expired:
            return model
        ends = getattr(model, spec.expires)
        return model if ends is None or ends > utc_now() else None

    @cached_property
    def made_now(self) -> tuple[str, ...]:
        """The fields whose default is the moment of the save."""
        return tuple(field.name for field in self.spec.fields.values() if field.made == "now")

    @cached_property
    def assigned(self) -> str | None:
        """The key, where the database gives its value."""
        return next((field.name for field in self.spec.key_fields if field.assigned), None)

    @cached_property
    def sql(self) -> Mapping[str, PreparedSql]:
        """The queries that are written in SQL."""
        return {
            name: prepared(query, query.sql, self.spec, self.dialect)
            for name, query in self.spec.queries.items()
            if query.sql is not None
        }

    @cached_property
    def sql_rows(self) -> Mapping[str, Callable[[Sequence[Any]], tuple[Any, ...]]]:
        """How the rows of those are read that are rows of no entity."""
        return {
            name: row_reader(self.spec.queries[name], self.spec.entity_type, self.dialect, self.cipher)
            for name in self.sql
            if self.spec.queries[name].outputs
        }

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

    def erased(self, stored: Sequence[Sequence[Any]], *, told: bool = True) -> Effects:
        """The tags and events of rows that were deleted for good, by their key columns."""
        found = self.effects(stored, "deleted", told=told)
        if stored:
            found.tags |= self.cascaded()
        return found

    def effects(
        self, stored: Sequence[Sequence[Any]], what: str, fields: Sequence[str] | None = None, *, told: bool = True
    ) -> Effects:
        """The tags and events of a committed write: created, updated or deleted.

        Args:
            stored: the key columns of every row that was written.
            what: created, updated or deleted.
            fields: the names that were passed to an update.
            told: whether there are events.
        """
        if not stored:
            return Effects()
        topic = f"database.{self.spec.entity_type}.{what}"
        told = told and self.spec.events and self.wanted(topic)
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

    def __init__(
        self,
        *,
        cache: Cache,
        wanted: Callable[[str], bool],
        dialect: Dialect,
        watch: LoopWatch,
        cipher: Cipher,
        figures: Figures,
    ) -> None:
        self._figures = figures
        self._watch = watch
        self._cipher = cipher
        self._dialect = dialect
        self._cache = cache
        self._wanted = wanted
        self._plans: dict[type[EntitySchema], Plan] = {}
        self._wider: dict[Visibility, dict[type[EntitySchema], Plan]] = {}

    @property
    def compiled(self) -> int:
        """How many compiled statements are held, of all entities."""
        plans = (self._plans, *self._wider.values())
        return sum(plan.queries.shapes for some in plans for plan in some.values())

    def of(self, schema: type[EntitySchema], also: Visibility = EVERYBODY) -> Plan:
        """The plan of a schema, made on first use. One by which more rows are found keeps answers of its own."""
        plans = self._plans if also is EVERYBODY else self._wider.setdefault(also, {})
        plan = plans.get(schema)
        if plan is None:
            plan = plans[schema] = self._make(schema, also)
        return plan

    def _make(self, schema: type[EntitySchema], also: Visibility) -> Plan:
        complete = resolved(schema)
        spec = complete.complete_spec(_spec_of)
        codec = Codec(spec, complete.model, self._dialect, self._cipher)
        queries = Queries(
            spec, complete.table, codec.encode, self._dialect, find=self._queries_of, visible=visible(spec, also)
        )
        return Plan(
            schema=complete,
            spec=spec,
            codec=codec,
            keys=KeyCodec(spec),
            queries=queries,
            region=self._cache.add_region(spec.cache, spec.entity_type, _reading(complete, self._dialect)),
            wanted=self._wanted,
            turns=self._cache.turns,
            dialect=self._dialect,
            queries_of=self._queries_of,
            watch=self._watch,
            cipher=self._cipher,
            by_one=_by_key(spec, queries, codec) if len(spec.key) == 1 else None,
            visibility=also,
            figures=self._figures.of(spec.entity_type, _generated_module(schema)),
        )

    def _queries_of(self, entity_type: str) -> Queries:
        return self.of(EntityRegistry.get_schema(entity_type)).queries


def _generated_module(schema: type[EntitySchema]) -> str:
    """The module of a generated schema, whose lines are not the caller's; of one written by hand it may well be."""
    module = schema.__module__
    return module if module.partition(".")[0] in EntityRegistry.migration_heads() else ""


def _reading(schema: ResolvedSchema, dialect: Dialect) -> bytes:
    """A hash of what decides how stored rows are read: programs that differ in it must not share them."""
    heads = sorted(EntityRegistry.migration_heads().items())
    text = f"{dialect.name} {heads} {schema.document.model_dump_json()}"
    return blake2b(text.encode(), digest_size=16).digest()


def _spec_of(entity_type: str) -> EntitySpec:
    return resolved(EntityRegistry.get_schema(entity_type)).spec


def _by_key(spec: EntitySpec, queries: Queries, codec: Codec[Entity]) -> ByKey:
    (name,) = spec.key
    return ByKey(
        lambda keys: queries.find_many(name, keys) if len(keys) > 1 else queries.find(keys),
        list(spec.fields).index(name),
        lambda key: codec.encode(name, key),
    )
