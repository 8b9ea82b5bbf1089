"""PostgreSQL's plan of a statement, in the terms in which advice is given; and what it would be with another index."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from soulspot_db.engine.postgresql.facts import ServerFacts
from soulspot_db.language.advised import Advised
from soulspot_db.language.table import index_part
from soulspot_db.monitoring.slow.comparisons import Compared
from soulspot_db.monitoring.slow.costs import Index
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.monitoring.slow.plan import Access, Plan
from soulspot_db.monitoring.slow.scopes import Scope

__all__ = ["Hypothesis", "read_plan"]

_FEW = 100  # rows, for each of which an index would be asked
# What may stand between a LIMIT and the sort for it.
_PASSING = frozenset({"Gather Merge", "LockRows", "Result", "Subquery Scan"})


@dataclass
class _Reading:
    accesses: list[Access] = field(default_factory=list)
    sorts: set[int] = field(default_factory=set)
    least: dict[str, float] = field(default_factory=dict)
    selects: int = 0

    def read(self, node: Mapping[str, Any], select: int, *, limited: bool, joined: float, workers: int) -> None:
        """Read a node and what is below it; `joined` is how many rows it meets in a join."""
        if node.get("Parent Relationship") in {"SubPlan", "InitPlan"}:
            self.selects += 1
            select, limited, joined = self.selects, False, float("inf")
        kind, children = node["Node Type"], node.get("Plans", ())
        if kind == "Sort" and limited:
            self.sorts.add(select)
        if (name := node.get("Alias")) is not None and kind.endswith("Scan"):
            self._access(name.lower(), node, select, joined, workers)
        if kind.startswith("Gather"):
            workers = node.get("Workers Planned", 0)
        passes = kind == "Limit" or (limited and kind in _PASSING)
        for child in children:
            others = [other["Plan Rows"] for other in children if other is not child]
            met = min(others, default=joined) if kind.endswith(("Join", "Loop")) else joined
            self.read(child, select, limited=passes, joined=met, workers=workers)

    def _access(self, name: str, node: Mapping[str, Any], select: int, joined: float, workers: int) -> None:
        rows = node["Plan Rows"] * (workers + 1 if node.get("Parallel Aware") else 1)
        if node["Node Type"] != "Seq Scan":
            index = node.get("Index Name") or next((child.get("Index Name") for child in node.get("Plans", ())), None)
            if index is not None:  # several at once are a choice of PostgreSQL's for which we know no better
                self.accesses.append(Access(name, select, whole=False, index=index))
                self.least[name] = rows
        elif "Filter" in node:
            self.accesses.append(Access(name, select, whole=True))
            self.least[name] = rows
        elif joined <= _FEW or select in self.sorts:
            # Without a condition of its own it is read for a join, to which all of it may be welcome.
            self.accesses.append(Access(name, select, whole=True))


def read_plan(root: Mapping[str, Any]) -> tuple[Plan, Mapping[str, float]]:
    """How tables are read, and how many rows of each are found.

    Args:
        root: the plan that EXPLAIN has given.
    """
    reading = _Reading()
    reading.read(root, 0, limited=False, joined=float("inf"), workers=0)
    return Plan(tuple(reading.accesses), frozenset(reading.sorts)), reading.least


class Hypothesis:
    """What the plan would be with another index: PostgreSQL cannot be asked, so it is what an index is known to be good for.

    Args:
        plan: without it.
        scopes: the statement.
        values: its values, if they are known.
        facts: of its tables.
        entities: the entities by their names.
    """

    def __init__(
        self,
        plan: Plan,
        scopes: Sequence[Scope],
        values: Sequence[Any],
        facts: ServerFacts,
        entities: Mapping[str, Known],
    ) -> None:
        self._scopes = {alias: scope for scope in reversed(scopes) for alias in scope.tables}
        self._values = values
        self._facts = facts
        self._entities = entities
        self._plan = replace(plan, accesses=tuple(map(self._counted, plan.accesses)))

    def __call__(self, indexes: Sequence[Advised]) -> Plan:
        """The plan with these indexes."""
        if len(indexes) != 1:
            return self._plan
        known = self._entities[indexes[0].entity]
        made = indexes[0].index(known.spec)
        index = Index(tuple(index_part({**column, "descending": False}) for column in made["columns"]))
        table = known.spec.table_name
        there = self._facts.indexes.get(table, {}).values()
        if any(other.parts[: len(index.parts)] == index.parts for other in there):
            return self._plan  # PostgreSQL has one like it, and a reason not to take it
        accesses, spared = list[Access](), set[int]()
        for access in self._plan.accesses:
            scope = self._scopes.get(access.name)
            if scope is None or scope.tables[access.name] != table:
                accesses.append(access)
                continue
            tried = self._access(access, scope, made["name"], index)
            orders = self._orders(scope, access.name, index, tried.equal, known)
            if orders and access.select in self._plan.sorted:
                spared.add(access.select)
            is_used = tried.equal or tried.ranged or orders
            accesses.append(replace(tried, whole=not (tried.equal or tried.ranged)) if is_used else access)
        return Plan(tuple(accesses), self._plan.sorted - spared)

    def _counted(self, access: Access) -> Access:
        scope = self._scopes.get(access.name)
        if access.whole or scope is None:
            return access
        found = self._access(access, scope, access.index, self._facts.index(scope.tables[access.name], access.index))
        return replace(found, whole=not (found.equal or found.ranged))

    def _access(self, access: Access, scope: Scope, name: str | None, index: Index) -> Access:
        compared = list(_of_all(scope, access.name))
        single = {each.part for each in compared if each.kind in {"equal", "listed", "null"}}
        between = {each.part for each in compared if each.kind == "range" or self._begins(each)}
        equal = next((at for at, part in enumerate(index.parts) if part not in single), len(index.parts))
        ranged = equal < len(index.parts) and index.parts[equal] in between
        return Access(access.name, access.select, whole=False, index=name, equal=equal, ranged=ranged)

    def _begins(self, compared: Compared) -> bool:
        """Whether it is a pattern that begins with letters."""
        if compared.kind != "like" or len(compared.params) != 1 or compared.params[0] >= len(self._values):
            return False
        pattern = self._values[compared.params[0]]
        return isinstance(pattern, str) and pattern[:1] not in {"", "%", "_"}

    def _orders(self, scope: Scope, alias: str, index: Index, equal: int, known: Known) -> bool:
        """Whether rows come out of the index in the order of the statement."""
        if not scope.order or any(each.alias != alias for each in scope.order):
            return False
        order = [each for each in scope.order if f'"{each.column}"' not in index.parts[:equal]]
        nullable = {field.column for field in known.spec.fields.values() if field.nullable}
        # An index has nulls behind all values, and before them when it is read backwards.
        natural = all(each.column not in nullable or each.nulls_first in {None, each.descending} for each in order)
        wanted = [f'{each.function}("{each.column}")' if each.function else f'"{each.column}"' for each in order]
        lists = {each.part for each in _of_all(scope, alias) if each.kind == "listed"}
        return natural and list(index.parts[equal:]) == wanted and lists.isdisjoint(index.parts[:equal])


def _of_all(scope: Scope, alias: str) -> Iterator[Compared]:
    """What holds for every row."""
    return (each for branches in scope.terms if len(branches) == 1 for each in branches[0] if each.alias == alias)
