"""What the schemas say about their past: renames, tombstones, values for rows that exist."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from immutabledict import immutabledict
from soulspot_db.language.document import RemovalDocument
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.table import stored_literal

from soulspot_db_codegen.resolver import Resolved, ResolvedEntity

__all__ = ["Fill", "Hints", "TableHints", "take_hints"]


@dataclass(frozen=True, slots=True)
class Fill:
    """What rows get that have no value, as the SQL of each database; `differs`: no two rows get the same."""

    sqlite: str
    postgresql: str
    differs: bool = False


@dataclass(frozen=True, slots=True)
class TableHints:
    """The hints of one entity, by column."""

    former_entity: str | None = None
    former: Mapping[str, str] = immutabledict()
    removed: Mapping[str, RemovalDocument] = immutabledict()
    backfill: Mapping[str, Fill] = immutabledict()
    """What rows that exist and have no value get."""
    made: Mapping[str, Fill] = immutabledict()
    """What rows that exist get in a new column whose values the runtime makes."""


@dataclass(frozen=True, slots=True)
class Hints:
    """The hints of all entities, by `module/entity`, and the entities that modules have buried."""

    tables: Mapping[str, TableHints] = immutabledict()
    removed: Mapping[str, RemovalDocument] = immutabledict()

    def of(self, path: str) -> TableHints:
        """The hints of one entity."""
        return self.tables.get(path, TableHints())


def take_hints(resolved: Resolved) -> Hints:
    """The hints of a project."""
    return Hints(
        {f"{entity.module}/{entity.spec.entity_type}": _of_entity(entity) for entity in resolved.entities},
        resolved.removed,
    )


def _of_entity(entity: ResolvedEntity) -> TableHints:
    fields = entity.spec.fields
    return TableHints(
        former_entity=entity.document.renamed_from,
        former={
            fields[name].column: document.renamed_from
            for name, document in entity.document.fields.items()
            if document.renamed_from
        },
        removed=entity.document.removed,
        backfill={
            fields[name].column: value
            for name, document in entity.document.fields.items()
            if name in fields and (value := _fill(document.backfill, fields[name])) is not None
        },
        made={
            field.column: _MADE[field.made]
            for field in fields.values()
            if field.made is not None and not field.nullable
        },
    )


# A uuid for each row, of version 4: SQLite has no clock that is fine enough for version 7.
_RANDOM_UUID = (
    "lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4' || substr(lower(hex(randomblob(2))), 2) "
    "|| '-' || substr('89ab', 1 + (random() & 3), 1) || substr(lower(hex(randomblob(2))), 2) "
    "|| '-' || lower(hex(randomblob(6)))"
)
_NOW = Fill("strftime('%Y-%m-%d %H:%M:%f000', 'now')", "now()")
_UUID = Fill(_RANDOM_UUID, "gen_random_uuid()", differs=True)
_MADE = {"now": _NOW, "uuid4": _UUID, "uuid7": _UUID}


def _fill(backfill: Any, field: FieldSpec) -> Fill | None:
    if backfill is None:
        return None
    is_made = field.type in {"datetime", "uuid"} and backfill in _MADE
    if is_made:
        return _MADE[backfill]
    return Fill(stored_literal(field, backfill, "sqlite"), stored_literal(field, backfill, "postgresql"))
