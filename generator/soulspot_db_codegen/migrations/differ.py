"""What changed between two snapshots. So far tables can be added; anything else is refused by name."""

from collections.abc import Iterator

from soulspot_db.language.table import TableSpec

from soulspot_db_codegen.migrations.snapshot import Snapshot

__all__ = ["added_tables", "unsupported_changes"]


def added_tables(before: Snapshot, after: Snapshot) -> list[TableSpec]:
    """The new tables, each after those it refers to."""
    waiting = {after[path]["table"]: after[path] for path in sorted(after.keys() - before.keys())}
    ordered: list[TableSpec] = []
    while waiting:
        free = [table for table in waiting.values() if not _references(table) & waiting.keys()]
        # In a circle of references one has to come first; SQLite does not mind.
        ordered.extend(waiting.pop(table["table"]) for table in free or [next(iter(waiting.values()))])
    return ordered


def _references(table: TableSpec) -> set[str]:
    return {key["table"] for key in table["foreign_keys"]} - {table["table"]}


def unsupported_changes(before: Snapshot, after: Snapshot) -> Iterator[tuple[str, str]]:
    """`module/entity` and what this version cannot migrate about it."""
    for path in sorted(before.keys() - after.keys()):
        yield path, f"the entity is gone, and dropping its table {before[path]['table']!r} is not supported yet"
    for path in sorted(before.keys() & after.keys()):
        old, new = before[path], after[path]
        if old != new:
            parts = ", ".join(sorted(key for key in new if old.get(key) != new.get(key)))
            yield (
                path,
                f"changing a table that exists ({parts} of {old['table']!r}) is not supported by this version yet",
            )
