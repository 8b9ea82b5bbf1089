"""Which indexes help a statement: tried one set after another, where somebody can say what they change."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from math import log10

from soulspot_db.language.advised import Advised
from soulspot_db.language.table import index_part
from soulspot_db.monitoring.slow.costs import Cost, Index, Weighing
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.monitoring.slow.plan import Plan

__all__ = ["Explain", "Found", "search"]

Explain = Callable[[Sequence[Advised]], Plan]
"""The plan of the statement in a database that has these indexes as well."""

_TRIES = 200
_FEW = 100  # rows; whether an index finds these or fewer makes no difference
Found = tuple[Sequence[Advised], Collection[Cost]]


def search(
    tries: Iterable[Sequence[Advised]], worlds: Sequence[Explain], weighing: Weighing, entities: Mapping[str, Known]
) -> Found | None:
    """The smallest indexes that spare most, and what they spare; None where none helps.

    Args:
        tries: sets of indexes.
        worlds: what the plan is, by different statistics; only what helps by all of them is of use.
        weighing: says what a plan costs.
        entities: the entities by their names.
    """
    before = [weighing.costs(explain(()), {}) for explain in worlds]
    best: tuple[tuple[float, ...], Found] | None = None
    for indexes in islice(tries, _TRIES):
        tried = _tried(indexes, worlds, before, weighing, entities)
        if tried is not None and (best is None or tried[0] < best[0]):
            best = tried
    return None if best is None else best[1]


def _tried(
    indexes: Sequence[Advised],
    worlds: Sequence[Explain],
    before: Sequence[Mapping[Cost, float]],
    weighing: Weighing,
    entities: Mapping[str, Known],
) -> tuple[tuple[float, ...], Found] | None:
    """How good they are, less being better, and what they spare; None where they do not help everywhere."""
    added = _added(indexes, entities)
    left = rows = 0.0
    spared, aliases = set(before[0]), {cost.alias for cost in before[0]}
    for explain, costs in zip(worlds, before, strict=True):
        plan = explain(indexes)
        after = weighing.costs(plan, added)
        # With other statistics, what is there already may do as well: then the new one must be used all the same.
        helps = after.keys() < costs.keys() or not (after or costs)
        if not added.keys() <= {access.index for access in plan.accesses} or not helps:
            return None
        left = max(left, len(after))
        rows = max(rows, weighing.reads(plan, aliases, added))
        spared -= after.keys()
    width = sum(len(each.parts) for each in indexes)
    return (left, int(log10(max(rows, _FEW))), width), (indexes, spared)


def _added(indexes: Sequence[Advised], entities: Mapping[str, Known]) -> dict[str, Index]:
    specs = [each.index(entities[each.entity].spec) for each in indexes]
    return {
        spec["name"]: Index(tuple(index_part({**column, "descending": False}) for column in spec["columns"]))
        for spec in specs
    }
