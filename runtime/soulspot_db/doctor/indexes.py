"""Indexes that are missing, and those that others make needless."""

import re
from collections.abc import Iterator

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, note, ok
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.structure import Index, TableStructure

__all__ = ["missing", "needless"]

# A column as part of an index, whatever its direction.
_COLUMN = re.compile(r'"?(?P<name>[^"() ]+)"?( asc| desc)?( nulls (first|last))?', re.IGNORECASE)
_INVALID = " (invalid)"
_KEY = "the primary key of "


def missing(case: Case) -> Iterator[Finding]:
    """Foreign keys that no index begins with: to delete what they refer to reads the whole table."""
    found = [
        (name, columns, key.table)
        for name, table in case.found.items()
        for columns, key in table.foreign_keys.items()
        if not any(_begins(index, columns) for index in _all(name, table).values())
    ]
    for table, columns, target in found:
        yield note(
            f"no index of {table} begins with {columns}: deleting a row of {target} reads every row of {table}",
            "Have the author of the schema add `index: true` to that field, if the table gets large.",
        )
    if not found:
        yield ok("every foreign key has one")


def needless(case: Case) -> Iterator[Finding]:
    """Indexes whose work another one does: they only cost, with every write."""
    found = [(name, *pair) for name, table in case.found.items() for pair in _needless(name, table)]
    by_hand = [each for each in found if each[1] not in case.expected.get(each[0], case.found[each[0]]).indexes]
    for table, index, other in by_hand:
        yield note(
            f"the index {index} of {table} is needless: {other} begins with the same", f"DROP INDEX {quoted(index)}"
        )
    if declared := [each for each in found if each not in by_hand]:
        listed = ", ".join(f"{index} beside {other}" for _table, index, other in declared)
        yield note(
            f"needless, because another begins with the same: {listed}",
            "Have the author of the schema take out what nobody needs.",
        )
    if not found:
        yield ok("none does the work of another")


def _needless(name: str, table: TableStructure) -> Iterator[tuple[str, str]]:
    indexes = _all(name, table)
    for at, index in table.indexes.items():
        # One of SQLite's own belongs to a UNIQUE in the table, and cannot be dropped.
        if at.startswith("sqlite_autoindex_") or index.parts.endswith(_INVALID):
            continue
        does = next((other for other in indexes if other != at and _covers(at, index, other, indexes[other])), None)
        if does is not None:
            yield at, does


def _covers(name: str, index: Index, other_name: str, other: Index) -> bool:
    parts, more = index.parts.split(", "), other.parts.split(", ")
    if more[: len(parts)] != parts or index.where != other.where or other.parts.endswith(_INVALID):
        return False
    if len(parts) < len(more):
        return not index.unique
    # Of two that are the same the one stays that forbids more, or else the first by name.
    return other_name.startswith(_KEY) or (other.unique, name) > (index.unique, other_name)


def _all(name: str, table: TableStructure) -> dict[str, Index]:
    """The indexes of a table, and that of its primary key."""
    key = [
        column for column, _ in sorted(table.columns.items(), key=lambda item: item[1].key) if table.columns[column].key
    ]
    return {f"{_KEY}{name}": Index(True, ", ".join(key), ""), **table.indexes}


def _begins(index: Index, columns: str) -> bool:
    """Whether it finds all rows by these columns: a row that refers to none need not be in it."""
    wanted = columns.split(", ")
    parts = [match["name"].lower() for part in index.parts.split(", ") if (match := _COLUMN.fullmatch(part))]
    where = index.where.strip("()").replace('"', "").lower()
    return (
        not index.parts.endswith(_INVALID)
        and set(parts[: len(wanted)]) == {column.lower() for column in wanted}
        and where in {"", *(f"{column.lower()} is not null" for column in wanted)}
    )
