"""What a statement costs, read from SQLite's plan of it: which large tables it reads whole, and whether it sorts one."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from soulspot_db.language.predicates import Compare, Group, Predicate
from soulspot_db.language.spec import EntitySpec

from soulspot_db_codegen.explain.statements import Asked

__all__ = ["LARGE", "Cost", "costs"]

LARGE = 10_000
"""As many rows as a table is expected to have, reading all of it is worth a warning."""

_ACCESS = re.compile(
    r"(?P<how>SCAN|SEARCH) (?P<name>\w+)(?: USING (?:COVERING )?INDEX (?P<index>\w+))?(?:.*?\((?P<by>.*)\))?"
)
_EQUAL = re.compile(r"(\w+|<expr>)=\?")
_SORT = "USE TEMP B-TREE FOR ORDER BY"
_FEW_VALUES = frozenset({"boolean", "enum"})


@dataclass(frozen=True, slots=True)
class Cost:
    """`entity` is read whole, or all that is found of it is sorted for the sake of the first rows."""

    kind: Literal["scan", "sort"]
    entity: str


def costs(connection: sqlite3.Connection, asked: Asked, rows: dict[str, int]) -> set[Cost]:
    """What the statement costs.

    Args:
        connection: a database with the tables, and with how many rows they are expected to have.
        asked: the statement.
        rows: how many rows are expected, by entity.
    """
    details = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {asked.sql}", {"given": None})]
    accesses = [
        match for detail in details if (match := _ACCESS.match(detail)) and match["name"].lower() in asked.names
    ]
    main, *_ = asked.names
    is_sorted = _SORT in details
    partial = _partial(connection)
    found = set()
    for access in accesses:
        name = access["name"].lower()
        entity = asked.names[name]
        if rows.get(entity.entity_type, 0) < LARGE:
            continue
        ends = name == main and asked.stops and asked.where is None and not is_sorted
        if access["how"] == "SCAN" and access["index"] not in partial and not ends:
            found.add(Cost("scan", entity.entity_type))
        if name == main and is_sorted and asked.stops and not _narrows(access, entity, asked.where):
            found.add(Cost("sort", entity.entity_type))
    return found


def _narrows(access: re.Match[str], entity: EntitySpec, where: Predicate | None) -> bool:
    """Whether few rows are found: those with a value that is not one of a few, and not null."""
    if access["how"] == "SCAN":
        return False
    vague = {field.column for field in entity.fields.values() if field.type in _FEW_VALUES}
    vague |= {entity.fields[name].column for name in _nulls(where)}
    return "rowid=?" in (access["by"] or "") or any(
        column not in vague for column in _EQUAL.findall(access["by"] or "")
    )


def _nulls(where: Predicate | None) -> Iterator[str]:
    match where:
        case Compare(operator="is_null"):
            yield where.field
        case Group():
            for part in where.parts:
                yield from _nulls(part)
        case _:
            return


def _partial(connection: sqlite3.Connection) -> set[str]:
    """The indexes that hold some of the rows: reading one of them whole is what they are there for."""
    return {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'"
        )
    }
