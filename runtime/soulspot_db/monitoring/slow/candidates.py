"""Indexes that may spare a statement a scan or a sort, the smallest first; whether one does is for others to say."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations, product

from soulspot_db.language.advised import Advised
from soulspot_db.monitoring.slow.comparisons import Compared
from soulspot_db.monitoring.slow.costs import Facts, mostly_null
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.monitoring.slow.scopes import Ordered, Scope

__all__ = ["candidates", "compared_part", "ordered_part"]

_WIDEST = 3  # columns with one value each; more than that narrow nothing further
_MOST = 5  # of a kind that are looked at
_TEXT = frozenset({"string", "text", "enum"})


def candidates(
    scopes: Sequence[Scope], aliases: Collection[str], tables: Mapping[str, Known], facts: Facts
) -> Iterator[tuple[Advised, ...]]:
    """Sets of indexes to try.

    Args:
        scopes: the statement.
        aliases: the tables for which it needs one, by what it calls them.
        tables: the entities by their tables.
        facts: of the database.
    """
    for scope in scopes:
        for alias in scope.tables:
            if alias in aliases:
                known = tables[scope.tables[alias]]
                found = sorted(dict.fromkeys(_single(scope, alias, known, facts)), key=len)
                yield from ((Advised(known.name, parts),) for parts in found)
                yield from _of_alternatives(scope, alias, known)


def _single(scope: Scope, alias: str, known: Known, facts: Facts) -> Iterator[tuple[str, ...]]:
    """What one index could begin with: columns with one value, then one that lies between two, or the order."""
    compared = [
        (each, part)
        for branches in scope.terms
        if len(branches) == 1
        for each in branches[0]
        if each.alias == alias and (part := compared_part(each, known)) and not mostly_null(each, scope, facts)
    ]
    equal = _parts(part for each, part in compared if each.kind in {"equal", "listed", "null"})
    single = _parts(part for each, part in compared if each.kind in {"equal", "null"})
    ranged = _parts(part for each, part in compared if each.kind in {"range", "like"})
    for parts in ((), *_chosen(equal)):
        yield from ((*parts, *last) for last in ((), *((each,) for each in ranged)) if parts or last)
    order = [ordered_part(each, known) for each in scope.order if each.alias == alias]
    if order and None not in order:
        for parts, width in product(((), *_chosen(single)), range(1, len(order) + 1)):
            names = {part.partition(" ")[0] for part in parts}
            rest = [part for part in order if part and part.partition(" ")[0] not in names]
            yield (*parts, *rest[:width])


def _parts(parts: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(parts))[:_MOST]


def _chosen(equal: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for width in range(1, min(_WIDEST, len(equal)) + 1):
        yield from combinations(equal, width)
    if len(equal) > _WIDEST:
        yield tuple(equal)


def _of_alternatives(scope: Scope, alias: str, known: Known) -> Iterator[tuple[Advised, ...]]:
    """Of alternatives each needs an index of its own; for some of them the table may have one."""
    for branches in scope.terms:
        firsts = [
            next((part for each in branch if each.alias == alias and (part := compared_part(each, known))), None)
            for branch in branches
        ]
        if 1 < len(branches) <= _MOST and None not in firsts:
            parts = dict.fromkeys(first for first in firsts if first)
            for width in range(1, len(parts) + 1):
                yield from (tuple(Advised(known.name, (part,)) for part in each) for each in combinations(parts, width))


def compared_part(compared: Compared, known: Known) -> str | None:
    """The part of an index for a condition, in the words of a schema, if one can be."""
    return _part(compared.column, compared.function, known)


def ordered_part(ordered: Ordered, known: Known) -> str | None:
    """The part of an index for an order."""
    part = _part(ordered.column, ordered.function, known)
    return None if part is None else part + (" desc" if ordered.descending else "")


def _part(column: str, function: str | None, known: Known) -> str | None:
    field = known.columns.get(column)
    if field is None or (function is not None and known.spec.fields[field].type not in _TEXT):
        return None
    return field if function is None else f"{function}({field})"
