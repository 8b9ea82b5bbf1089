"""A table's description to the code that declares it, in generated modules and in revisions alike."""

from collections.abc import Iterator

from soulspot_db.language.table import (
    CheckSpec,
    ColumnSpec,
    ForeignKeySpec,
    TableIndexSpec,
    TableSpec,
    index_part,
    storage_check,
)

from soulspot_db_codegen.layout import Brackets, Expression, call, literal

__all__ = ["create_indexes", "table_indexes", "table_items"]


def table_items(spec: TableSpec, *, frozen: bool = False) -> Iterator[Expression]:
    """Columns and constraints, in the order of the table.

    Args:
        spec: the table.
        frozen: spell out every check, as a revision must; else name those that come with a field type.
    """
    yield from map(_column, spec["columns"])
    yield call("sa.PrimaryKeyConstraint", *map(literal, spec["primary_key"]), name=literal(f"pk_{spec['table']}"))
    named = {} if frozen else {storage_check(c["name"], c["type"]["name"]): c for c in spec["columns"]}
    for check in spec["checks"]:
        column = named.get(check["sql"])
        yield _check(check) if column is None else _stored(check, column)
    yield from map(_foreign_key, spec["foreign_keys"])


def table_indexes(spec: TableSpec) -> Iterator[Expression]:
    """Indexes, as parts of a `sa.Table`."""
    for index in spec["indexes"]:
        yield call("sa.Index", literal(index["name"]), *_index_columns(index), **_index_options(index))


def create_indexes(spec: TableSpec) -> Iterator[Expression]:
    """Indexes, as operations of a revision."""
    for index in spec["indexes"]:
        columns = Brackets("[", tuple(_index_columns(index)), "]")
        names = literal(index["name"]), literal(spec["table"])
        yield call("op.create_index", *names, columns, **_index_options(index))


def _index_columns(index: TableIndexSpec) -> Iterator[Expression]:
    for part in index["columns"]:
        is_sql = part["function"] or part["descending"]
        yield call("ddl.sql", literal(index_part(part))) if is_sql else literal(part["column"])


def _index_options(index: TableIndexSpec) -> dict[str, Expression]:
    options: dict[str, Expression] = {"unique": "True"} if index["unique"] else {}
    for dialect, condition in (index["where"] or {}).items():
        options[f"{dialect}_where"] = call("ddl.sql", literal(condition))
    return options


def _column(column: ColumnSpec) -> Expression:
    kind = column["type"]
    arguments = [str(value) for key, value in kind.items() if key != "name"]
    options: dict[str, Expression] = {"nullable": repr(column["nullable"])}
    if column["default"] is not None:
        scale: dict[str, Expression] = {"scale": str(kind["scale"])} if "scale" in kind else {}
        function = "ddl.json_default" if kind["name"] in {"json", "list"} else "ddl.default"
        options["server_default"] = call(function, literal(column["default"]), **scale)
    return call("sa.Column", literal(column["name"]), call(f"ddl.{kind['name']}", *arguments), **options)


def _check(check: CheckSpec) -> Expression:
    options: dict[str, Expression] = {"name": literal(check["name"])}
    if check["dialect"] is not None:
        options["dialect"] = literal(check["dialect"])
    return call("ddl.check", literal(check["sql"]), **options)


def _stored(check: CheckSpec, column: ColumnSpec) -> Expression:
    kind = column["type"]["name"]
    return call("ddl.stored", literal(column["name"]), literal(kind), name=literal(check["name"]))


def _foreign_key(key: ForeignKeySpec) -> Expression:
    return call(
        "sa.ForeignKeyConstraint",
        literal([key["column"]]),
        literal([f"{key['table']}.{key['target']}"]),
        name=literal(key["name"]),
        ondelete=literal(key["on_delete"].replace("_", " ").upper()),
    )
