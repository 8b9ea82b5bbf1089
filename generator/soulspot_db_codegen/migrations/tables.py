"""What changed in one table, and what brings it to its new form."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from soulspot_db.language.conditions import DIALECTS, quoted
from soulspot_db.language.indexes import constraint_name
from soulspot_db.language.table import CheckSpec, ColumnSpec, ForeignKeySpec, TableSpec, storage_check

from soulspot_db_codegen.migrations.columns import Source, Unclear, sources
from soulspot_db_codegen.migrations.hints import TableHints
from soulspot_db_codegen.migrations.keys import row_keys, strayed_references, unkeyed_archives
from soulspot_db_codegen.migrations.operations import (
    AddColumn,
    Archive,
    CreateIndex,
    DropIndex,
    Encrypt,
    Loss,
    Operation,
    RebuildTable,
    Refusal,
    RenameColumn,
)
from soulspot_db_codegen.migrations.refusals import Rows, Targets, by_dialect, losses, refusals
from soulspot_db_codegen.migrations.renames import rename_in_order
from soulspot_db_codegen.migrations.snapshot import default_text, physical
from soulspot_db_codegen.migrations.subjects import listed, of_renames, of_table

__all__ = ["TableChange", "TableDiff", "diff_table"]


@dataclass(frozen=True, slots=True)
class TableChange:
    """An entity's table and what it is to become.

    `before` goes by its old names, `base` is the same under its new ones; `former` are the columns that were renamed, new
    to old names.
    """

    entity: str
    before: TableSpec
    base: TableSpec
    after: TableSpec
    former: Mapping[str, str]
    hints: TableHints


@dataclass(slots=True)
class TableDiff:
    """The operations for one table: `archives` before anything else, `renames` before new tables, the others after them.

    `subjects` says what was edited, `one_way` why nobody can go back.
    """

    archives: list[Archive] = field(default_factory=list)
    renames: list[RenameColumn] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    unclear: list[Unclear] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    one_way: list[str] = field(default_factory=list)


def diff_table(change: TableChange, targets: Targets) -> TableDiff:
    """Compare a table with what it is to become; `targets` is as `refusals` takes it."""
    found = TableDiff()
    before, base, after = change.before, change.base, change.after
    columns: list[Source] = []
    for source in sources(before, after, change.former, change.hints):
        (found.unclear if isinstance(source, Unclear) else columns).append(source)  # type: ignore[arg-type]
    dropped = _dropped(change, columns)
    found.unclear += _unburied(change, dropped)
    found.unclear += strayed_references(base, after)
    archived = [
        name for name in dropped if name in change.hints.removed and change.hints.removed[name].data == "archive"
    ]
    found.unclear += unkeyed_archives(before, after, columns, dropped, archived)
    if found.unclear:
        return found
    moves = {old: new for new, old in change.former.items()}
    taken = [column["name"] for column in before["columns"]]
    found.renames = [RenameColumn(after["table"], *move) for move in rename_in_order(moves, taken)]
    rows = [Rows(before, columns, dialect) for dialect in DIALECTS]
    found.refusals = [_of(before, item) for item in by_dialect(*(refusals(of, base, after, targets) for of in rows))]
    keys = row_keys(before, after, columns)
    found.archives = [_archive(before, keys, name) for name in archived]
    lost = [name for name in dropped if name not in archived]
    found.losses = by_dialect(*(losses(of, lost) for of in rows))
    found.operations = [*_operations(change, columns, dropped), *_encryptions(after["table"], columns)]
    found.subjects = [
        *of_renames(change.former, f" of {change.entity}"),
        *of_table(change.entity, before, base, after, columns=columns, dropped=dropped),
    ]
    found.one_way = list(_one_way(after["table"], columns, dropped))
    return found


def _one_way(table: str, columns: Sequence[Source], dropped: Sequence[str]) -> Iterator[str]:
    """Why what a table had before cannot be made again of what it has then."""
    if dropped:
        yield f"it dropped {listed(dropped)} of {table}"
    if added := [source.column["name"] for source in columns if source.former is None]:
        yield f"the values of {listed(added)} of {table} would be lost"
    for source in columns:
        name = f"{source.column['name']} of {table}"
        if source.former is not None and source.fill is not None:
            yield f"nobody knows in which rows {name} was missing"
        elif source.is_encrypted:
            yield f"no migration can decrypt {name}"
        elif source.former is not None and not source.conversion.back:
            yield f"nobody knows what {name} was as {source.former['type']['name']}"


def _of(table: TableSpec, refusal: Refusal) -> Refusal:
    return replace(refusal, what=f"of {table['table']} {refusal.what}")


def _dropped(change: TableChange, columns: Sequence[Source]) -> list[str]:
    used = {source.former["name"] for source in columns if source.former is not None}
    clear = {column["name"] for column in change.after["columns"]}  # those that are unclear are there all the same
    return [
        column["name"]
        for column in change.before["columns"]
        if column["name"] not in used and not (column["name"] in clear and column["name"] not in change.former.values())
    ]


def _unburied(change: TableChange, dropped: Sequence[str]) -> Iterator[Unclear]:
    known = {column["name"] for column in change.before["columns"]}
    added = [c["name"] for c in change.after["columns"] if c["name"] not in known and c["name"] not in change.former]
    for name in dropped:
        if name not in change.hints.removed:
            bury = f"removed: {{{name}: {{data: discard, reason: ...}}}}"
            hint = f"if its values may go, write '{bury}'"
            if added:
                hint = f"if it has another name now, write 'renamed_from: {name}' there ({', '.join(added)}?); {hint}"
            yield Unclear("", f"column {name!r} of {change.before['table']!r} is gone", hint)


def _archive(table: TableSpec, keys: Sequence[str], column: str) -> Archive:
    names = ", ".join(quoted(name) for name in dict.fromkeys([*keys, column]))
    select = f"SELECT {names} FROM {quoted(table['table'])} WHERE {quoted(column)} IS NOT NULL"
    return Archive(f"archived_{table['table']}_{column}", select, f"{column} of {table['table']}")


def _operations(change: TableChange, columns: Sequence[Source], dropped: Sequence[str]) -> Iterator[Operation]:
    base, after = change.base, change.after
    wanted = {index["name"]: index for index in after["indexes"]}
    for index in base["indexes"]:
        if wanted.get(index["name"]) != index:
            yield DropIndex(after["table"], index["name"])
    native = [addition for source in columns if (addition := _addable(change, source)) is not None]
    reasons = list(_reasons(change, columns, dropped, native))
    if reasons:
        server = [source.on_postgresql() for source in columns]
        yield RebuildTable(after, _values(columns), _values(server), dropped, reasons)
        return
    yield from native
    for index in after["indexes"]:
        if index not in base["indexes"]:
            yield CreateIndex(after["table"], index)


def _encryptions(table: str, columns: Sequence[Source]) -> Iterator[Encrypt]:
    if names := [source.column["name"] for source in columns if source.is_encrypted]:
        yield Encrypt(table, names)


def _values(columns: Sequence[Source]) -> dict[str, str]:
    return {source.column["name"]: source.sql(source.column["name"]) for source in columns if not source.is_same}


def _addable(change: TableChange, source: Source) -> AddColumn | None:
    """The column as one that `ALTER TABLE ... ADD COLUMN` takes, with what belongs to it alone."""
    column, after = source.column, change.after
    if source.former is not None or column["name"] in change.hints.backfill or column["name"] in after["primary_key"]:
        return None
    if not column["nullable"] and column["default"] is None:
        return None  # filled by an expression
    keys = [key for key in after["foreign_keys"] if key["column"] == column["name"]]
    if keys and column["default"] is not None:
        return None  # SQLite takes a reference only where rows that exist refer to nothing
    return AddColumn(after["table"], column, list(_own_checks(after, column["name"])), keys[0] if keys else None)


def _own_checks(table: TableSpec, column: str) -> Iterator[CheckSpec]:
    kind = next(item["type"]["name"] for item in table["columns"] if item["name"] == column)
    names = {constraint_name("ck", table["table"], column, part) for part in (kind, "length", "values")}
    for check in table["checks"]:
        if check["name"] in names and (check["dialect"] is None or check["sql"] == storage_check(column, kind)):
            yield check


def _reasons(
    change: TableChange, columns: Sequence[Source], dropped: Sequence[str], native: Sequence[AddColumn]
) -> Iterator[str]:
    """Why the table has to be made anew, in words; nothing where it need not be."""
    base, after = change.base, change.after
    added = {addition.column["name"] for addition in native}
    if change.before["table"] != after["table"]:
        yield "names of constraints"
    yield from (f"drop column {name}" for name in dropped)
    for source in columns:
        column, former = source.column, source.former
        if former is None and column["name"] not in added:
            yield f"add column {column['name']}"
        elif former is not None and (parts := list(_altered(physical(former), physical(column)))):
            yield f"{' and '.join(parts)} of {column['name']}"
    if base["primary_key"] != after["primary_key"]:
        yield "primary key"
    checks = [check for addition in native for check in addition.checks]
    if _by_name(base["checks"]) != _by_name(check for check in after["checks"] if check not in checks):
        yield "checks"
    keys = [addition.foreign_key for addition in native]
    if _by_name(base["foreign_keys"]) != _by_name(key for key in after["foreign_keys"] if key not in keys):
        yield "foreign keys"


def _altered(former: ColumnSpec, column: ColumnSpec) -> Iterator[str]:
    if former["type"] != column["type"]:
        yield "type"
    if former["nullable"] != column["nullable"]:
        yield "nullable"
    if default_text(former) != default_text(column):
        yield "default"


def _by_name(items: Iterable[CheckSpec] | Iterable[ForeignKeySpec]) -> dict[str, CheckSpec | ForeignKeySpec]:
    return {item["name"]: item for item in items}
