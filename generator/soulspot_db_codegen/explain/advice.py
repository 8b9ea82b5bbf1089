"""Indexes that may spare a query a scan or a sort, the likeliest first; whether one does is for SQLite to say."""

from collections.abc import Iterator, Sequence

from soulspot_db.language.advised import Advised
from soulspot_db.language.predicates import Compare, Group, Predicate, Related
from soulspot_db.language.spec import EntitySpec

from soulspot_db_codegen.explain.statements import Asked

__all__ = ["advice"]

_EQUAL = frozenset({"eq", "is", "is_null"})
_FROM_THERE = frozenset({"lt", "lte", "gt", "gte", "starts_with"})


def advice(asked: Asked, entity: EntitySpec) -> Iterator[tuple[Advised, ...]]:
    """Sets of indexes to try, one after another."""
    where = asked.where
    order = [term.field + (" desc" if term.descending else "") for term in asked.order]
    for parts in _useful(where, order, has_limit=asked.stops):
        yield (Advised(entity.entity_type, parts),)
    for name in _compared(where, {"not_null"}):
        yield (Advised(entity.entity_type, (name,), filled=name),)
    # Of alternatives each needs an index of its own.
    if isinstance(where, Group) and where.operator == "or":
        firsts = [next(_useful(part, [], has_limit=False), None) for part in where.parts]
        if None not in firsts:
            yield tuple(Advised(entity.entity_type, first) for first in dict.fromkeys(firsts) if first is not None)
    for related in _relations(where):
        yield from _of_related(related)


def _useful(where: Predicate | None, order: Sequence[str], *, has_limit: bool) -> Iterator[tuple[str, ...]]:
    """What one index could begin with: what is equal, then the order, or what is compared."""
    equal = [*_compared(where, _EQUAL), *(f"lower({name})" for name in _compared(where, {"ieq"}))]
    listed, compared = [*_compared(where, {"in"})], [*_compared(where, _FROM_THERE)]
    tries = [
        [*equal, *listed, *compared[:1]],
        *([[*equal, *order], [*order]] if has_limit and order else []),
        *([each] for each in (*equal, *listed, *compared)),
    ]
    yield from dict.fromkeys(tuple(dict.fromkeys(parts)) for parts in tries if parts)


def _compared(where: Predicate | None, operators: frozenset[str] | set[str]) -> Iterator[str]:
    """The fields that every row that is found must compare so."""
    match where:
        case Compare() if where.operator in operators and where.other is None:
            yield where.field
        case Group(operator="and"):
            for part in where.parts:
                yield from _compared(part, operators)
        case _:
            return


def _relations(where: Predicate | None) -> Iterator[Related]:
    match where:
        case Related():
            yield where
            yield from _relations(where.where)
        case Group():
            for part in where.parts:
                yield from _relations(part)
        case _:
            return


def _of_related(related: Related) -> Iterator[tuple[Advised, ...]]:
    relation = related.relation
    if relation.through is not None:
        yield (Advised(relation.through.entity, (relation.through.local,)),)
    yield (Advised(relation.entity, (relation.remote,)),)
