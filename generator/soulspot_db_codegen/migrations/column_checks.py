"""What the CHECKs of a table say of one column: its type, how long it may be, which values it may have."""

import re

from soulspot_db.language.conditions import quoted
from soulspot_db.language.indexes import constraint_name
from soulspot_db.language.table import CheckSpec, ColumnSpec, TableSpec

__all__ = ["is_of_column", "limit_of", "names_of", "values_of"]

_TEXT = re.compile(r"'((?:[^']|'')*)'")


def names_of(table: str, column: ColumnSpec) -> tuple[str, str, str]:
    """The names of the CHECKs that a column has because of its type, its `max_length` and its `values`."""
    kind, length, values = (
        constraint_name("ck", table, column["name"], part) for part in (column["type"]["name"], "length", "values")
    )
    return kind, length, values


def is_of_column(table: TableSpec, check: CheckSpec) -> bool:
    """Whether a CHECK comes with a column, and is none that the schema names."""
    return any(check["name"] in names_of(table["table"], column) for column in table["columns"])


def limit_of(table: TableSpec, column: ColumnSpec) -> int | None:
    """How long a column's values may be."""
    found = _match(table, names_of(table["table"], column)[1], rf"length\({quoted(column['name'])}\) <= (\d+)")
    return None if found is None else int(found)


def values_of(table: TableSpec, column: ColumnSpec) -> list[str] | None:
    """The values that a column may have, where they are listed."""
    found = _match(table, names_of(table["table"], column)[2], rf"{quoted(column['name'])} IN \(('.*')\)")
    return None if found is None else [text.replace("''", "'") for text in _TEXT.findall(found)]


def _match(table: TableSpec, name: str, pattern: str) -> str | None:
    for check in table["checks"]:
        if check["name"] == name and (match := re.fullmatch(pattern, check["sql"], re.DOTALL)):
            return match[1]
    return None
