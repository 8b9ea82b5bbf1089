"""A table's description to the code that declares it, in generated modules and in revisions alike."""

from collections.abc import Iterator

from soulspot_db.language.indexes import constraint_name
from soulspot_db.language.table import (
    CheckSpec,
    ColumnSpec,
    ForeignKeySpec,
    TableIndexSpec,
    TableSpec,
    index_part,
    storage_check,
    storage_of,
)

from soulspot_db_codegen.layout import Brackets, Expression, call, literal

__all__ = ["check", "column", "create_index", "foreign_key", "table_indexes", "table_items"]


def table_items(spec: TableSpec, *, frozen: bool = False) -> Iterator[Expression]:
    """Columns and constraints, in the order of the table.

    Args:
        spec: the table.
        frozen: spell out every check, as a revision must; else name those that come with a field type.
    """
    yield from map(column, spec["columns"])
    name = literal(constraint_name("pk", spec["table"]))
    yield call("sa.PrimaryKeyConstraint", *map(literal, spec["primary_key"]), name=name)
    named = {} if frozen else {storage_check(c["name"], c["type"]["name"]): c for c in spec["columns"]}
    for item in spec["checks"]:
        of = named.get(item["sql"])
        yield check(item) if of is None else _stored(item, of)
    yield from map(foreign_key, spec["foreign_keys"])


def table_indexes(spec: TableSpec) -> Iterator[Expression]:
    """Indexes, as parts of a `sa.Table`."""
    for index in spec["indexes"]:
        yield call("sa.Index", literal(index["name"]), *_index_columns(index), **_index_options(index))


def create_index(table: str, index: TableIndexSpec) -> Expression:
    """An index, as an operation of a revision."""
    columns = Brackets("[", tuple(_index_columns(index)), "]")
    return call("op.create_index", literal(index["name"]), literal(table), columns, **_index_options(index))


def _index_columns(index: TableIndexSpec) -> Iterator[Expression]:
    for part in index["columns"]:
        is_sql = part["function"] or part["descending"]
        yield call("ddl.sql", literal(index_part(part))) if is_sql else literal(part["column"])


def _index_options(index: TableIndexSpec) -> dict[str, Expression]:
    options: dict[str, Expression] = {"unique": "True"} if index["unique"] else {}
    for dialect, condition in (index["where"] or {}).items():
        options[f"{dialect}_where"] = call("ddl.sql", literal(condition))
    return options


def column(spec: ColumnSpec) -> Expression:
    """A column."""
    kind = spec["type"]
    storage, arguments = storage_of(kind)
    options: dict[str, Expression] = {"nullable": repr(spec["nullable"])}
    if spec["default"] is not None:
        scale: dict[str, Expression] = {"scale": str(kind["scale"])} if "scale" in kind else {}
        function = "ddl.json_default" if kind["name"] in {"json", "list"} else "ddl.default"
        options["server_default"] = call(function, literal(spec["default"]), **scale)
    return call("sa.Column", literal(spec["name"]), call(f"ddl.{storage}", *map(str, arguments.values())), **options)


def check(spec: CheckSpec) -> Expression:
    """A CHECK, spelled out."""
    options: dict[str, Expression] = {"name": literal(spec["name"])}
    if spec["dialect"] is not None:
        options["dialect"] = literal(spec["dialect"])
    return call("ddl.check", literal(spec["sql"]), **options)


def _stored(spec: CheckSpec, of: ColumnSpec) -> Expression:
    return call("ddl.stored", literal(of["name"]), literal(of["type"]["name"]), name=literal(spec["name"]))


def foreign_key(key: ForeignKeySpec) -> Expression:
    """A foreign key."""
    return call(
        "sa.ForeignKeyConstraint",
        literal([key["column"]]),
        literal([f"{key['table']}.{key['target']}"]),
        name=literal(key["name"]),
        ondelete=literal(key["on_delete"].replace("_", " ").upper()),
    )
