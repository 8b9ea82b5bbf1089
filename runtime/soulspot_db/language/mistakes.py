"""Every mistake in a filter of a schema, and where it is: reading a filter ends at the first."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from soulspot_db.language.relations import Find, HasRelations
from soulspot_db.language.scope import FilterError, HasFields

__all__ = ["mistakes"]

Parse: TypeAlias = Callable[[Any, HasFields], object]
Path: TypeAlias = tuple[str | int, ...]
_Part: TypeAlias = tuple[Path, Any, HasFields]


def mistakes(
    where: Any, entity: HasFields, parse: Parse, find: Find | None = None
) -> Iterator[tuple[Path, FilterError]]:
    """Each with its path in `where`; what is wrong only as a whole has an empty one.

    Args:
        where: the filter.
        entity: the entity that it is about.
        parse: reads a filter about an entity, and raises FilterError.
        find: finds other entities, where there may be conditions on related rows.
    """
    try:
        parse(where, entity)
    except FilterError as error:
        found = [
            ((*path, *rest), problem)
            for path, part, about in _parts(where, entity, find)
            for rest, problem in mistakes(part, about, parse, find)
        ]
        yield from found or [(_place(where), error)]


def _place(where: Any) -> Path:
    """Where a filter of one condition has it."""
    if not isinstance(where, Mapping) or len(where) != 1:
        return ()
    ((name, wanted),) = where.items()
    return (name, *wanted) if isinstance(wanted, Mapping) and len(wanted) == 1 else (name,)


def _parts(where: Any, entity: HasFields, find: Find | None) -> Iterator[_Part]:
    """The filters that a filter is made of, each smaller than it."""
    if not isinstance(where, Mapping):
        return
    if len(where) > 1:
        for name, wanted in where.items():
            yield (), {name: wanted}, entity
        return
    for name, wanted in where.items():
        if name in {"and", "or"} and isinstance(wanted, list):
            yield from (((name, number), part, entity) for number, part in enumerate(wanted))
        elif name == "not":
            yield (name,), wanted, entity
        elif isinstance(wanted, Mapping) and (target := _target(name, entity, find)) is not None:
            yield from (((name, quantifier), part, target) for quantifier, part in wanted.items())
        elif isinstance(wanted, Mapping) and len(wanted) > 1:
            yield from (((), {name: {operator: value}}, entity) for operator, value in wanted.items())


def _target(name: object, entity: HasFields, find: Find | None) -> HasRelations | None:
    if find is None or name in entity.fields:
        return None
    relation = find(entity.entity_type).relations.get(str(name))
    return None if relation is None else find(relation.entity)
