"""An entity prepared for one database: its statements, codecs, cache region and tags, made once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from soulspot_db.cache import stamps
from soulspot_db.cache.cache import Cache
from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.stamps import Tag
from soulspot_db.codec import Codec, KeyCodec
from soulspot_db.entity import Entity, EntitySchema
from soulspot_db.events.bus import Event
from soulspot_db.language.filters import Compare, Group, Predicate
from soulspot_db.language.spec import EntitySpec
from soulspot_db.operations import Effects
from soulspot_db.query import Queries
from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import ResolvedSchema, resolved

__all__ = ["Plan", "Plans"]

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Plan:
    """Everything a repository needs to know about its entity."""

    schema: ResolvedSchema
    codec: Codec[Entity]
    keys: KeyCodec
    queries: Queries
    region: CacheRegion
    wanted: Callable[[str], bool]

    @property
    def spec(self) -> EntitySpec:
        """The entity."""
        return self.schema.spec

    def by_key(self, key: Key) -> Predicate:
        """The predicate that finds one row."""
        parts = tuple(Compare(name, "eq", (value,)) for name, value in zip(self.spec.key, key, strict=True))
        return parts[0] if len(parts) == 1 else Group("and", parts)

    def key_of(self, model: Entity) -> Key:
        """The primary key of a row."""
        return tuple(getattr(model, name) for name in self.spec.key)

    def row_tags(self, key: Key) -> tuple[Tag, ...]:
        """What a row read by its key depends on."""
        return (stamps.row(self.spec.table_name, key), stamps.bulk(self.spec.table_name))

    @property
    def table_tags(self) -> tuple[Tag, ...]:
        """What a query depends on."""
        return (stamps.table(self.spec.table_name),)

    def written(self, key: Key) -> tuple[Tag, ...]:
        """What a write to one row touches."""
        return (stamps.row(self.spec.table_name, key), stamps.table(self.spec.table_name))

    @property
    def written_somewhere(self) -> tuple[Tag, ...]:
        """What a write touches whose rows are not known beforehand."""
        return (stamps.bulk(self.spec.table_name), stamps.table(self.spec.table_name))

    def cascaded(self) -> tuple[Tag, ...]:
        """What the database itself changes in other tables when rows of this one are deleted."""
        names = {*self.schema.source.cascades, *_handwritten_dependents(self.spec.entity_type)}
        return tuple(tag for name in sorted(names) for tag in (stamps.bulk(name), stamps.table(name)))

    def effects(self, keys: Sequence[Key], what: str, fields: Sequence[str] | None = None) -> Effects:
        """The tags and events of a committed write to the rows with these keys: created, updated or deleted."""
        effects = Effects()
        if not keys:
            return effects
        effects.tags = {tag for key in keys for tag in self.written(key)}
        topic = f"database.{self.spec.entity_type}.{what}"
        if self.spec.events and self.wanted(topic):
            for key in keys:
                data: dict[str, Any] = {"entity_id": self.keys.text(key), "entity_type": self.spec.entity_type}
                if fields is not None:
                    data["fields"] = list(fields)  # of its own, as handlers may change what they are given
                effects.events.append(Event(topic, data))
        return effects


def _handwritten_dependents(entity_type: str) -> set[str]:
    """Tables of hand-written schemas that refer to `entity_type`; generated schemas name theirs in `cascades`."""
    specs = [resolved(schema).spec for schema in EntityRegistry.loaded_schemas() if schema.model is None]
    found: set[str] = set()
    deleted, known = [entity_type], {entity_type}
    while deleted:
        target = deleted.pop()
        for spec in specs:
            actions = {
                field.on_delete
                for field in spec.fields.values()
                if field.references and field.references.rpartition(".")[2] == target
            }
            if actions - {"restrict"}:
                found.add(spec.table_name)
            if "cascade" in actions and spec.entity_type not in known:  # references may run in a circle
                known.add(spec.entity_type)
                deleted.append(spec.entity_type)
    return found


class Plans:
    """The plans of one database, by schema."""

    def __init__(self, cache: Cache, wanted: Callable[[str], bool]) -> None:
        self._cache = cache
        self._wanted = wanted
        self._plans: dict[type[EntitySchema], Plan] = {}

    def of(self, schema: type[EntitySchema]) -> Plan:
        """The plan of a schema, made on first use."""
        plan = self._plans.get(schema)
        if plan is None:
            plan = self._plans[schema] = self._make(schema)
        return plan

    def _make(self, schema: type[EntitySchema]) -> Plan:
        complete = resolved(schema)
        spec = complete.spec
        codec = Codec(spec, complete.model)
        return Plan(
            schema=complete,
            codec=codec,
            keys=KeyCodec(spec),
            queries=Queries(spec, complete.table, codec.encode),
            region=self._cache.region(spec.entity_type, spec.cache),
            wanted=self._wanted,
        )
