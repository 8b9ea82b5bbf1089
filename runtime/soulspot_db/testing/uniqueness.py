"""Which values are taken: every key, unique field and unique index of the rows made so far."""

from collections.abc import Iterator, Mapping
from typing import Any

from soulspot_db.language.indexes import IndexPart
from soulspot_db.language.spec import EntitySpec
from soulspot_db.testing.conditions import holds, stored

__all__ = ["Taken"]


class Taken:
    """Remembers rows by what must be unique in them."""

    def __init__(self) -> None:
        self._taken: set[tuple[Any, ...]] = set()

    def conflicts(self, entity: EntitySpec, row: Mapping[str, Any]) -> list[set[str]]:
        """The fields of every unique group whose values an earlier row has."""
        return [{part.field for part in parts} for parts, key in _keys(entity, row) if key in self._taken]

    def claim(self, entity: EntitySpec, row: Mapping[str, Any]) -> None:
        """Remember a row."""
        self._taken.update(key for _, key in _keys(entity, row))


def _keys(entity: EntitySpec, row: Mapping[str, Any]) -> Iterator[tuple[tuple[IndexPart, ...], tuple[Any, ...]]]:
    """What must be unique in this row, with the parts of the index that says so."""
    groups = {"": tuple(map(IndexPart, entity.key))}
    groups |= {field.name: (IndexPart(field.name),) for field in entity.fields.values() if field.unique}
    groups |= {
        f"index {index.name}": index.parts
        for index in entity.indexes
        if index.unique and (index.where is None or holds(index.where, entity.fields, row))
    }
    for name, parts in groups.items():
        values = tuple(_value(entity, part, row) for part in parts)
        if None not in values:  # nulls are never the same
            yield parts, (entity.entity_type, name, *values)


def _value(entity: EntitySpec, part: IndexPart, row: Mapping[str, Any]) -> Any:
    value = stored(entity.fields[part.field], row[part.field])
    if value is None or part.function is None:
        return value
    return str(value).lower() if part.function == "lower" else str(value).upper()
