"""What is told of rows that break a CHECK."""

from collections.abc import Sequence

from soulspot_db.language.conditions import sql_text
from soulspot_db.language.table import CheckSpec, TableSpec

from soulspot_db_codegen.migrations.column_checks import limit_of, names_of, values_of
from soulspot_db_codegen.migrations.columns import Source

__all__ = ["advice", "broken"]


def broken(check: CheckSpec, before: TableSpec, after: TableSpec, columns: Sequence[Source]) -> str:
    """Words that follow "3 rows of a table", whether they are many or one.

    Args:
        check: a CHECK of `after`.
        before: the table as it is.
        after: the table as it is to be.
        columns: where each column comes from.
    """
    for source in columns:
        kind, length, values = names_of(after["table"], source.column)
        name, of = f"whose {source.name_before}", source.column
        if check["name"] == kind:
            return f"{name} is no valid {of['type']['name']}"
        if check["name"] == length and (limit := limit_of(after, of)) is not None:
            unit = "byte" if of["type"]["name"] == "bytes" else "character"
            return f"{name} is longer than {limit} {unit}{'' if limit == 1 else 's'}"
        if check["name"] == values and (allowed := values_of(after, of)) is not None:
            if gone := _gone(source, allowed, before):
                return f"{name} is {' or '.join(gone)}, no longer among its values"
            return f"{name} is none of {', '.join(map(sql_text, allowed))}"
    return f"against the check {check['name']}"


def advice(check: CheckSpec, before: TableSpec, after: TableSpec, columns: Sequence[Source]) -> str | None:
    """What spares people the refusal of rows that break a CHECK, where there is a way; the arguments are those of `broken`."""
    for source in columns:
        if check["name"] == names_of(after["table"], source.column)[2]:
            gone = _gone(source, values_of(after, source.column) or [], before)
            if gone:
                return (
                    f"rows of {before['table']} whose {source.name_before} is {' or '.join(gone)} will stop this revision; "
                    "where there may be any, go in three steps: add what they become beside the old values, change the "
                    "rows in a data revision, then take the old values out"
                )
    return None


def _gone(source: Source, allowed: Sequence[str], before: TableSpec) -> list[str]:
    known = source.former and values_of(before, source.former)
    return [sql_text(value) for value in known or () if value not in allowed]
