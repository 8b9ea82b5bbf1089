"""What a revision does, as plain data: its id is a hash of this, and its code is printed from it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, TypeAlias

from soulspot_db.language.table import CheckSpec, ColumnSpec, ForeignKeySpec, TableIndexSpec, TableSpec

__all__ = [
    "AddColumn",
    "Archive",
    "CreateIndex",
    "CreateTable",
    "DropIndex",
    "DropTable",
    "Encrypt",
    "Loss",
    "Operation",
    "RebuildTable",
    "Refusal",
    "RenameColumn",
    "RenameTable",
    "canonical",
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows that must not be there before anything is changed: `keys` is the SELECT that finds their keys.

    `dialect` is the database that it is written for, None if for all. `advice` is for who writes the revision.
    """

    what: str
    keys: str
    dialect: str | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows of which something is lost: `rows` is the SELECT that finds them; `dialect` as in `Refusal`."""

    what: str
    rows: str
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """Keep what is about to be dropped in a table of its own, made by a SELECT."""

    kind: ClassVar[str] = "archive"
    table: str
    select: str
    what: str

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"keep {self.what} in {self.table}"


@dataclass(frozen=True, slots=True)
class CreateTable:
    """A new table with its indexes."""

    kind: ClassVar[str] = "create_table"
    table: TableSpec

    @property
    def words(self) -> str:
        """What it does to a database."""
        columns, indexes = len(self.table["columns"]), len(self.table["indexes"])
        size = f"{columns} column{'s' if columns > 1 else ''}, {indexes} index{'es' if indexes != 1 else ''}"
        return f"create table {self.table['table']}, {size}"


@dataclass(frozen=True, slots=True)
class DropTable:
    """A table that is gone."""

    kind: ClassVar[str] = "drop_table"
    table: str

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"drop table {self.table}"


@dataclass(frozen=True, slots=True)
class RenameTable:
    """A table's new name; indexes, triggers, views and foreign keys follow."""

    kind: ClassVar[str] = "rename_table"
    table: str
    to: str

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"rename table {self.table} to {self.to}"


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """A column's new name."""

    kind: ClassVar[str] = "rename_column"
    table: str
    column: str
    to: str

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"rename column {self.column} of {self.table} to {self.to}"


@dataclass(frozen=True, slots=True)
class AddColumn:
    """A column that a table can be given without being made anew."""

    kind: ClassVar[str] = "add_column"
    table: str
    column: ColumnSpec
    checks: Sequence[CheckSpec]
    foreign_key: ForeignKeySpec | None

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"add column {self.column['name']} to {self.table}"


@dataclass(frozen=True, slots=True)
class RebuildTable:
    """A table that takes another form.

    `values` are the columns that are not taken over as they are, as SQL, `postgresql` the same for PostgreSQL; `without` are
    those that are dropped.
    """

    kind: ClassVar[str] = "rebuild_table"
    after: TableSpec
    values: Mapping[str, str]
    postgresql: Mapping[str, str]
    without: Sequence[str]
    changes: Sequence[str] = field(default=())

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"rebuild table {self.after['table']}: {', '.join(self.changes)}"


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """A new index."""

    kind: ClassVar[str] = "create_index"
    table: str
    index: TableIndexSpec

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"create {'unique ' if self.index['unique'] else ''}index {self.index['name']} on {self.table}"


@dataclass(frozen=True, slots=True)
class DropIndex:
    """An index that is gone; no data are lost with it."""

    kind: ClassVar[str] = "drop_index"
    table: str
    name: str

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"drop index {self.name} of {self.table}"


@dataclass(frozen=True, slots=True)
class Encrypt:
    """Columns whose values are encrypted from here on: those that exist wait for `soulspot-db keys rotate`."""

    kind: ClassVar[str] = "encrypt"
    table: str
    columns: Sequence[str]

    @property
    def words(self) -> str:
        """What it does to a database."""
        return f"let `soulspot-db keys rotate` encrypt {', '.join(self.columns)} of {self.table}"


Operation: TypeAlias = (
    Archive
    | CreateTable
    | DropTable
    | RenameTable
    | RenameColumn
    | AddColumn
    | RebuildTable
    | CreateIndex
    | DropIndex
    | Encrypt
)


def canonical(operations: Sequence[Operation]) -> list[dict[str, Any]]:
    """Operations as JSON can hold them, the same for the same operations."""
    return [{"operation": operation.kind, **_without_items(asdict(operation))} for operation in operations]


def _without_items(found: dict[str, Any]) -> dict[str, Any]:
    """Without the types of lists' items, which no database sees."""
    tables = [found[name] for name in ("table", "after") if isinstance(found.get(name), dict)]
    columns = [column for table in tables for column in table["columns"]]
    if isinstance(found.get("column"), dict):
        columns.append(found["column"])
    for column in columns:
        column["type"].pop("items", None)
    return found
