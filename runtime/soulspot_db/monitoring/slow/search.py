"""Which indexes help a statement: tried one set after another, where somebody can say what they change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Found:
    """Indexes that help: what they spare, how many costs are left, and how many rows are still read."""

    indexes: tuple[Advised, ...]
    spared: frozenset[Cost]
    left: int
    rows: float

    @property
    def rank(self) -> tuple[int, int, int]:
        """The less, the better."""
        return self.left, int(log10(max(self.rows, _FEW))), sum(len(each.parts) for each in self.indexes)


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
    given = list(islice(tries, _TRIES))
    best = _best(given, worlds, before, weighing, entities)
    if best is not None and best.left:
        further = ((*best.indexes, *each) for each in given if not set(each) & set(best.indexes))
        also = _best(further, worlds, before, weighing, entities)
        best = also if also is not None and also.left < best.left else best
    return best


def _best(
    tries: Iterable[Sequence[Advised]],
    worlds: Sequence[Explain],
    before: Sequence[Mapping[Cost, float]],
    weighing: Weighing,
    entities: Mapping[str, Known],
) -> Found | None:
    found = (_tried(indexes, worlds, before, weighing, entities) for indexes in tries)
    return min((each for each in found if each is not None), key=lambda each: each.rank, default=None)


def _tried(
    indexes: Sequence[Advised],
    worlds: Sequence[Explain],
    before: Sequence[Mapping[Cost, float]],
    weighing: Weighing,
    entities: Mapping[str, Known],
) -> Found | None:
    """What these indexes are good for; None where they do not help everywhere."""
    added = _added(indexes, entities)
    left, rows = 0, 0.0
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
    return Found(tuple(indexes), frozenset(spared), left, rows) if spared else None


def _added(indexes: Sequence[Advised], entities: Mapping[str, Known]) -> dict[str, Index]:
    specs = [each.index(entities[each.entity].spec) for each in indexes]
    return {
        spec["name"]: Index(tuple(index_part({**column, "descending": False}) for column in spec["columns"]))
        for spec in specs
    }
