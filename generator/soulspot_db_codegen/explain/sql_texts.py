"""Queries in SQL as SQLite is to explain them."""

from collections.abc import Mapping

from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.sql_query import SqlQuery
from soulspot_db.language.sql_tables import named_tables

from soulspot_db_codegen.explain.statements import Asked

__all__ = ["in_sql"]


def in_sql(sql: SqlQuery, tables: Mapping[str, EntitySpec]) -> Asked:
    """The statement for SQLite.

    Args:
        sql: the query.
        tables: the entities by the names of their tables.
    """
    statement = sql.statements["sqlite"]
    text = "".join(":given" if piece.kind == "param" else piece.text for piece in statement.pieces)
    names = {name: tables[table] for name, table in named_tables(statement.marks, tables)}
    return Asked(text, None, (), is_bare=False, stops=False, names=names)
