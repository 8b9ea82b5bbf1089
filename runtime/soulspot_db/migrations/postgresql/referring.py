"""Foreign keys of other tables that refer to one, in whatever schema these are."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from soulspot_db.language.conditions import quoted

__all__ = ["Referring", "referring"]

_FOUND = """
SELECT CASE WHEN c.relnamespace = current_schema()::regnamespace THEN '' ELSE n.nspname::text END, c.relname::text,
       k.conname::text, pg_get_constraintdef(k.oid), k.conrelid::bigint, k.conkey::int2[],
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) AS u(n)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = to_regclass($1) ORDER BY k.conrelid, k.conname
"""


@dataclass(frozen=True, slots=True)
class Referring:
    """A foreign key: its table in SQL, its name and definition, the numbers of both, and the columns it refers to."""

    table: str
    name: str
    definition: str
    number: int
    columns: Sequence[int]
    targets: Sequence[str]

    def drop(self, connection: Connection) -> None:
        """Drop it."""
        connection.exec_driver_sql(f"ALTER TABLE {self.table} DROP CONSTRAINT {quoted(self.name)}")


def referring(connection: Connection, table: str) -> list[Referring]:
    """Those that refer to a table, its own included."""
    found = connection.exec_driver_sql(_FOUND, (quoted(table),)).fetchall()
    return [
        Referring(f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name), *rest)
        for schema, name, *rest in found
    ]
