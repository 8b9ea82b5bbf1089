"""The primary key, CHECKs and foreign keys of a table that takes another form on PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.postgresql.impl import foreign_key
from soulspot_db.migrations.postgresql.later import add_constraint
from soulspot_db.migrations.postgresql.referring import referring
from soulspot_db.migrations.run import Run
from soulspot_db.migrations.structure import TableStructure

__all__ = ["Constraints"]

_OWN = """
SELECT k.conname::text, k.contype::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) AS n JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n)
FROM pg_constraint k WHERE k.conrelid = to_regclass($1) AND k.contype IN ('p', 'c', 'f') ORDER BY k.conname
"""


class Constraints:
    """Drops those that are in the way or are not wanted any more, and adds those that are missing.

    Args:
        bind: in the revision's transaction.
        wanted: the table as it is to be.
        before: as it is.
        checks: those that it is to have, in the server's spelling.
        retyped: the columns that get another type.
        run: told of the foreign keys, which are added at the end of the revision.
    """

    def __init__(
        self,
        bind: Connection,
        wanted: sa.Table,
        before: TableStructure,
        checks: Mapping[str, str],
        retyped: Collection[str],
        *,
        run: Run,
    ) -> None:
        self._bind = bind
        self._name = wanted.name
        self._key = (str(wanted.primary_key.name), [column.name for column in wanted.primary_key])
        self._checks = checks
        self._foreign_keys = {str(key.name): key for key in wanted.foreign_key_constraints}
        self._before = before
        self._checks_before = before.checks
        self._retyped = set(retyped)
        self._run = run
        own = self._ask(_OWN)
        self._there = {kind: {name: columns for name, of, columns in own if of == kind} for kind in "pcf"}

    def drop(self) -> None:
        """Before columns change."""
        for at in [at for at in self._run.keys if at[0] == quoted(self._name)]:
            del self._run.keys[at]
        self._rename()
        key_before = sorted((c.key, name) for name, c in self._before.columns.items() if c.key)
        key_moves = [name for _place, name in key_before] != self._key[1]
        self._drop_referring(key_moves)
        for name, columns in [*self._there["f"].items()]:
            if self._retyped.intersection(columns) or self._kept_key(name) is None:
                self._drop("f", name)
        for name in [*self._there["c"]]:
            if self._checks_before.get(name) != self._checks.get(name):
                self._drop("c", name)
        if key_moves:
            for name in [*self._there["p"]]:
                self._drop("p", name)

    def _drop_referring(self, key_moves: bool) -> None:
        """Foreign keys that refer to what changes here; the end of the revision adds those of other tables again."""
        for key in referring(self._bind, self._name):
            if not key_moves and not self._retyped.intersection(key.targets):
                continue
            key.drop(self._bind)
            if key.table == quoted(self._name):
                del self._there["f"][key.name]
            else:
                self._run.keys.setdefault((key.table, key.name), key.definition)

    def add(self) -> None:
        """When columns are as they should be."""
        name, columns = self._key
        if not self._there["p"] and columns:
            listed = ", ".join(map(quoted, columns))
            self._bind.exec_driver_sql(
                f"ALTER TABLE {quoted(self._name)} ADD CONSTRAINT {quoted(name)} PRIMARY KEY ({listed})"
            )
        for check, definition in self._checks.items():
            if check not in self._there["c"]:
                add_constraint(self._bind, quoted(self._name), check, definition, now=True)
        for at, key in self._foreign_keys.items():
            if at not in self._there["f"]:
                self._run.keys[quoted(self._name), at] = foreign_key(key)

    def _rename(self) -> None:
        """Where only names change, as with that of the table."""
        new = {definition: name for name, definition in self._checks.items() if name not in self._there["c"]}
        checks = {name: new.get(self._checks_before[name]) for name in self._there["c"] if name not in self._checks}
        keys = {
            name: next((at for at in self._foreign_keys if at not in self._there["f"] and self._is(name, at)), None)
            for name in self._there["f"]
            if name not in self._foreign_keys
        }
        for kind, renames in (("c", checks), ("f", keys)):
            for old, to in renames.items():
                if to is not None and to not in self._there[kind]:
                    self._bind.exec_driver_sql(
                        f"ALTER TABLE {quoted(self._name)} RENAME CONSTRAINT {quoted(old)} TO {quoted(to)}"
                    )
                    self._there[kind][to] = self._there[kind].pop(old)
        self._checks_before = {checks.get(name) or name: text for name, text in self._checks_before.items()}

    def _kept_key(self, name: str) -> str | None:
        return name if name in self._foreign_keys and self._is(name, name) else None

    def _is(self, there: str, wanted: str) -> bool:
        """Whether a foreign key of the table does what is wanted of one."""
        key = self._foreign_keys[wanted]
        target, _, column = key.elements[0].target_fullname.rpartition(".")
        found = self._before.foreign_keys.get(", ".join(self._there["f"][there]))
        return (
            found is not None
            and self._there["f"][there] == list(key.column_keys)
            and (found.table, list(found.targets)) == (target, [column])
            and found.on_delete == (key.ondelete or "NO ACTION")
        )

    def _drop(self, kind: str, name: str) -> None:
        self._bind.exec_driver_sql(f"ALTER TABLE {quoted(self._name)} DROP CONSTRAINT {quoted(name)}")
        del self._there[kind][name]

    def _ask(self, sql: str) -> Sequence[Any]:
        return self._bind.exec_driver_sql(sql, (quoted(self._name),)).fetchall()
