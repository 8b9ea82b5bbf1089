"""What a plan costs: which large tables it reads whole, or much of, and what it sorts for the sake of the first rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from immutabledict import immutabledict

from soulspot_db.monitoring.slow.comparisons import Compared
from soulspot_db.monitoring.slow.plan import Access, Plan
from soulspot_db.monitoring.slow.scopes import Scope

__all__ = ["LARGE", "MOST", "Cost", "Facts", "Index", "Weighing", "mostly_null"]

LARGE = 1_000
"""To read fewer rows is not worth a word."""
MOST = 0.1
"""An index that finds more of a table than this is no better than reading all of it in its order."""
_RETURNED = 100  # rows, before a statement with a LIMIT stops
_OF_A_RANGE = 0.05  # where nothing is known of the values that a column lies between


@dataclass(frozen=True, slots=True)
class Index:
    """What an index holds, in SQL; None for what has no name. `where` are the columns that say which rows are in it."""

    parts: tuple[str | None, ...]
    where: frozenset[str] = frozenset()


class Facts(Protocol):
    """What a database knows of its rows."""

    def rows(self, table: str) -> int:
        """About how many there are; exactly, where there are fewer than LARGE."""
        ...

    def distinct(self, table: str, parts: Sequence[str]) -> float:
        """About how many different values these expressions have together."""
        ...

    def share(self, table: str, condition: str, values: Sequence[Any]) -> float | None:
        """About which part of the rows a condition holds for, from 0 to 1, if that can be told."""
        ...

    def index(self, table: str, name: str | None) -> Index:
        """An index by its name; None is the key that rows are stored by."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """A table, by what the statement calls it, is read `whole`, or `much` of it, or what is found of it is sorted (`sort`)."""

    kind: Literal["whole", "much", "sort"]
    alias: str


class Weighing:
    """Says what plans of one statement cost.

    Args:
        scopes: the statement.
        values: its values; none where they are not known.
        facts: of the database.
        least: how many rows of a table are found at least, by what the statement calls it, where somebody else has told.
    """

    def __init__(
        self, scopes: Sequence[Scope], values: Sequence[Any], facts: Facts, least: Mapping[str, float] = immutabledict()
    ) -> None:
        self._scopes = {alias: scope for scope in reversed(scopes) for alias in scope.tables}
        self._values = values
        self._facts = facts
        self._least = least

    def costs(self, plan: Plan, added: Mapping[str, Index]) -> dict[Cost, float]:
        """What a plan costs, and how many rows are read for it.

        Args:
            plan: how the statement is run.
            added: indexes that the database does not have.
        """
        found = dict[Cost, float]()
        owners = set[int]()
        for access in plan.accesses:
            scope = self._scopes.get(access.name)
            if scope is None:
                continue
            rows, served = self._read(access, scope, added)
            is_sorted, is_first = access.select in plan.sorted, access.select not in owners
            owners.add(access.select)
            if access.whole and scope.stops and not is_sorted and access.index not in added:
                # It reads on until it has found enough, which may not be far. Of an index this is no reason to add it.
                rows = min(rows, _RETURNED / max(self._found(access.name, scope), 1 / rows))
            if rows < LARGE or (scope.stops and not is_sorted and self._all_served(scope, served)):
                continue
            if rows > MOST * self._facts.rows(scope.tables[access.name]):
                found[Cost("whole" if access.whole else "much", access.name)] = rows
            elif is_sorted and is_first and scope.limited and not scope.gathers:
                found[Cost("sort", access.name)] = rows
        return found

    def reads(self, plan: Plan, aliases: set[str], added: Mapping[str, Index]) -> float:
        """How many rows of these tables are read, if nothing stops it."""
        return sum(
            self._read(access, self._scopes[access.name], added)[0]
            for access in plan.accesses
            if access.name in aliases
        )

    def _read(self, access: Access, scope: Scope, added: Mapping[str, Index]) -> tuple[float, set[Compared]]:
        """How many rows are read, and which conditions hold for all of them."""
        table = scope.tables[access.name]
        index = added.get(access.index or "") or self._facts.index(table, access.index)
        compared = [each for each in _compared(scope) if each.alias == access.name]
        if access.whole:
            return self._facts.rows(table), {each for each in compared if each.column in index.where}
        parts = index.parts[access.skipped : access.equal]
        equal = [
            next((each for each in compared if each.part == part and each.kind in {"equal", "listed", "null"}), None)
            for part in parts
        ]
        between = index.parts[access.equal : access.equal + access.ranged]
        ranged = [each for each in compared if each.part in between and each.kind in {"range", "like"}]
        served = {*(each for each in equal if each), *ranged} | {
            each for each in compared if each.column in index.where
        }
        if None in parts:  # an expression that somebody else has thought of
            return 1, served
        known = [each for each in (*equal, *ranged) if each is not None]
        share = None if access.ranged > len(ranged) or None in equal else self._share(table, known)
        if share is None:
            share = 1 / max(1.0, self._facts.distinct(table, [part for part in parts if part])) if parts else 1.0
            for each in known:
                share *= max(1, len(each.params)) if each.kind == "listed" else 1
            share *= _OF_A_RANGE if access.ranged else 1
        return max(min(1.0, share) * self._facts.rows(table), self._least.get(access.name, 0)), served

    def _share(self, table: str, compared: Sequence[Compared]) -> float | None:
        """The part of the rows that conditions hold for, where the values are known."""
        params = [place for each in compared for place in each.params]
        if any(each.test is None for each in compared) or any(place >= len(self._values) for place in params):
            return None
        condition = " AND ".join(f"({each.test.format(each.part)})" for each in compared if each.test)
        return self._facts.share(table, condition, [self._values[place] for place in params])

    def _found(self, alias: str, scope: Scope) -> float:
        """The part of its only table that a scope finds, as far as it is known."""
        rows = self._facts.rows(scope.tables[alias])
        if alias in self._least:
            return self._least[alias] / max(1, rows)
        first = [branches[0][0] for branches in scope.terms if len(branches) == 1 and branches[0]]
        if len(first) < len(scope.terms):
            return 0.0
        return (self._share(scope.tables[alias], first) or 0.0) if first else 1.0

    def _all_served(self, scope: Scope, served: set[Compared]) -> bool:
        """Whether every row that is read is one that is wanted, or nearly."""
        return all(
            len(branches) == 1 and any(each in served or mostly_null(each, scope, self._facts) for each in branches[0])
            for branches in scope.terms
        )


def _compared(scope: Scope) -> Iterator[Compared]:
    """What is compared, first what is for every row."""
    for branches in sorted(scope.terms, key=len):
        for branch in branches:
            yield from branch


def mostly_null(compared: Compared, scope: Scope, facts: Facts) -> bool:
    """Whether it holds for most rows that a column is null, as it does where few have been deleted."""
    table = scope.tables[compared.alias]
    return compared.kind == "null" and (facts.share(table, f"{compared.part} IS NULL", ()) or 0) >= 1 / 2
