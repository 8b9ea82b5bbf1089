"""Renames: in an order in which no name is taken twice, and what a table looks like after them."""

import re
from collections.abc import Callable, Iterable, Mapping

from soulspot_db.language.conditions import quoted
from soulspot_db.language.table import TableSpec

__all__ = ["Names", "rename_in_order", "renamed"]

_TEMPORARY = "_soulspot_db_"
# Text in SQL, which is left alone, or a quoted name.
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


class Names:
    """Old names of tables and columns to new ones.

    Args:
        tables: old to new, also where both are the same.
        columns: by old table, old to new.
    """

    def __init__(self, tables: Mapping[str, str], columns: Mapping[str, Mapping[str, str]]) -> None:
        self._tables = tables
        self._columns = columns

    def table(self, old: str) -> str:
        """A table's new name."""
        return self._tables.get(old, old)

    def column(self, table: str, old: str) -> str:
        """The new name of a column of a table, which goes by its old name."""
        return self._columns.get(table, {}).get(old, old)


def rename_in_order(moves: Mapping[str, str], taken: Iterable[str]) -> list[tuple[str, str]]:
    """Renames one after another, none to a name that is still in use; a circle goes through a temporary name.

    Args:
        moves: old to new names, different ones.
        taken: every name in use before.
    """
    waiting, in_use = dict(moves), set(taken)
    steps: list[tuple[str, str]] = []
    while waiting:
        free = next((old for old, new in waiting.items() if new not in in_use), None)
        if free is None:
            # Only circles are left: one of them steps aside.
            aside = next(iter(waiting))
            free = _TEMPORARY + aside
            steps.append((aside, free))
            in_use = in_use - {aside} | {free}
            waiting[free] = waiting.pop(aside)
            continue
        new = waiting.pop(free)
        steps.append((free, new))
        in_use = in_use - {free} | {new}
    return steps


def renamed(table: TableSpec, names: Names) -> TableSpec:
    """The table once the database has renamed; its constraints and indexes still go by their old names."""
    old = table["table"]

    def column(name: str) -> str:
        return names.column(old, name)

    return TableSpec(
        table=names.table(old),
        columns=[{**item, "name": column(item["name"])} for item in table["columns"]],
        primary_key=list(map(column, table["primary_key"])),
        checks=[{**check, "sql": _in_sql(check["sql"], column)} for check in table["checks"]],
        foreign_keys=[
            {
                **key,
                "column": column(key["column"]),
                "table": names.table(key["table"]),
                "target": names.column(key["table"], key["target"]),
            }
            for key in table["foreign_keys"]
        ],
        indexes=[
            {
                **index,
                "columns": [{**part, "column": column(part["column"])} for part in index["columns"]],
                "where": None
                if index["where"] is None
                else {dialect: _in_sql(sql, column) for dialect, sql in index["where"].items()},
            }
            for index in table["indexes"]
        ],
    )


def _in_sql(sql: str, column: Callable[[str], str]) -> str:
    def replace(match: re.Match[str]) -> str:
        token = match[0]
        return token if token[0] == "'" else quoted(column(token[1:-1].replace('""', '"')))

    return _TOKEN.sub(replace, sql)
