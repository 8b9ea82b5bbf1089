"""What is told of rows that break a CHECK."""

from collections.abc import Sequence

from soulspot_db.language.conditions import sql_text
from soulspot_db.language.table import CheckSpec, TableSpec

from soulspot_db_codegen.migrations.column_checks import limit_of, names_of, values_of
from soulspot_db_codegen.migrations.columns import Source

__all__ = ["broken"]


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
            known = source.former and values_of(before, source.former)
            gone = [sql_text(value) for value in known or () if value not in allowed]
            if gone:
                return f"{name} is {' or '.join(gone)}, no longer among its values"
            return f"{name} is none of {', '.join(map(sql_text, allowed))}"
    return f"against the check {check['name']}"
