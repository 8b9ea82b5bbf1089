"""SQLite's plan of a statement: how it reads each table, and what it sorts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Access", "Plan", "read_plan"]

_ACCESS = re.compile(
    r"(?P<how>SCAN|SEARCH) (?P<name>\S+)"
    r"(?: USING (?P<automatic>AUTOMATIC )?(?:PARTIAL )?(?:COVERING )?(?:INDEX|(?P<key>INTEGER PRIMARY KEY))"
    r"(?: (?P<index>[^(]\S*))?)?"
    r"(?: \((?P<by>.*)\))?"
)
# Also where rows come in the order of the first columns alone, and there may be very many with the same values.
_SORT = re.compile(r"USE TEMP B-TREE FOR .*ORDER BY")


@dataclass(frozen=True, slots=True)
class Access:
    """A table as it is read.

    `name` is what the statement calls it, and `select` the part of the plan that it belongs to. With an `index`, or without one by its key,
    `equal` of the first columns have one value each, but for `skipped` that have all theirs in turn, and `ranged` says whether the
    next one lies between two. What is `whole` is read to its end, unless something stops it.
    """

    name: str
    select: int
    whole: bool
    index: str | None = None
    skipped: int = 0
    equal: int = 0
    ranged: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How the tables are read, in order, and the parts of the plan in which rows are sorted for an ORDER BY."""

    accesses: tuple[Access, ...]
    sorted: frozenset[int]


def read_plan(rows: Iterable[tuple[Any, ...]]) -> Plan:
    """Read what EXPLAIN QUERY PLAN answers."""
    details = {id_: (parent, detail) for id_, parent, _, detail in rows}

    def select(place: int) -> int:
        # The accesses of an OR stand below it.
        parent, detail = details.get(place, (0, ""))
        return select(parent) if detail.startswith(("MULTI-INDEX OR", "INDEX ")) else place

    found = [_access(match, select(parent)) for parent, detail in details.values() if (match := _ACCESS.match(detail))]
    return Plan(tuple(found), frozenset(parent for parent, detail in details.values() if _SORT.match(detail)))


def _access(match: re.Match[str], select: int) -> Access:
    name, by = match["name"].lower(), match["by"] or ""
    if match["how"] == "SCAN" or match["automatic"]:  # an index of its own takes all rows to make
        return Access(name, select, whole=True, index=match["index"])
    columns = by.split(" AND ")
    skipped = sum(each.startswith("ANY(") for each in columns)
    equal = skipped + sum(each.endswith("=?") for each in columns)
    ranged = equal < len(columns)
    return Access(name, select, whole=False, index=match["index"], skipped=skipped, equal=equal, ranged=ranged)
