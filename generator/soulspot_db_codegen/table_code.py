"""A table's description to the code that declares it, in generated modules and in revisions alike."""

from collections.abc import Iterator

from soulspot_db.language.table import CheckSpec, ColumnSpec, ForeignKeySpec, IndexColumnsSpec, TableSpec, storage_check

from soulspot_db_codegen.layout import Expression, call, literal

__all__ = ["index_columns", "table_indexes", "table_items"]


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
        unique: dict[str, Expression] = {"unique": "True"} if index["unique"] else {}
        yield call("sa.Index", literal(index["name"]), *index_columns(index), **unique)


def index_columns(index: IndexColumnsSpec) -> Iterator[Expression]:
    """The columns of an index; those that run downwards are SQL."""
    for column in index["columns"]:
        down = column in index["descending"]
        yield call("sa.text", literal(f'"{column}" DESC')) if down else literal(column)


def _column(column: ColumnSpec) -> Expression:
    kind = column["type"]
    arguments = [str(value) for key, value in kind.items() if key != "name"]
    options: dict[str, Expression] = {"nullable": repr(column["nullable"])}
    if column["default"] is not None:
        scale: dict[str, Expression] = {"scale": str(kind["scale"])} if "scale" in kind else {}
        options["server_default"] = call("ddl.default", literal(column["default"]), **scale)
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
