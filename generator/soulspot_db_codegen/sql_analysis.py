"""Queries in SQL against the tables of the project: what they read, which fields they set, what type their values have."""

from collections.abc import Iterator

from soulspot_db.language.document import EntityDocument
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.outputs import Output
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.sql_query import Analyse, SqlAnalysis, Statements
from soulspot_db.language.sql_statement import SqlError, SqlStatement
from soulspot_db.language.sql_writes import fields_set

from soulspot_db_codegen.sql_database import SqlDatabase
from soulspot_db_codegen.sql_nulls import may_lack_rows

__all__ = ["analyser"]


def analyser(spec: EntitySpec, document: EntityDocument, database: SqlDatabase) -> Analyse:
    """Analyses the queries of one entity."""

    def analyse(name: str, statements: Statements) -> SqlAnalysis:
        statement = statements["sqlite"]
        reads = database.reads(statement) | _other_reads(statements, database)
        if statement.verb != "select":
            return SqlAnalysis(tuple(sorted(reads)), tuple(fields_set(statement, spec)))
        returns = document.queries[name].returns
        if returns in {"rows", "column"}:
            return SqlAnalysis(tuple(sorted(reads)), origins=tuple(_origins(statements, database)))
        if returns != "count":
            _check_whole(statement, spec, database)
        return SqlAnalysis(tuple(sorted(reads)))

    return analyse


def _other_reads(statements: Statements, database: SqlDatabase) -> set[str]:
    """The tables that the text for PostgreSQL may read, which nobody can ask here: all that it names."""
    one, other = statements["sqlite"], statements["postgresql"]
    return set() if str(one) == str(other) else other.mentioned(database.tables)


def _origins(statements: Statements, database: SqlDatabase) -> Iterator[Output]:
    """What is selected and is the value of one column, with its field."""
    statement, other = statements["sqlite"], statements["postgresql"]
    for place, origin in enumerate(_found(statement, database)):
        if origin is not None:
            name, (table, field) = statement.selected[place], origin
            lacks = may_lack_rows(statement, place, table) or may_lack_rows(other, other.selected.index(name), table)
            yield Output(name, field, nullable=field.nullable or lacks)


def _found(statement: SqlStatement, database: SqlDatabase) -> list[tuple[str, FieldSpec] | None]:
    found = database.origins(statement)
    if len(found) != len(statement.selected):
        raise SqlError("what is selected cannot be told from the text", "name each value with AS")
    # Of rows that are put together, SQLite tells where those of one part come from.
    return [None] * len(found) if statement.is_compound else found


def _check_whole(statement: SqlStatement, spec: EntitySpec, database: SqlDatabase) -> None:
    """Values that are called like the entity's columns must be these."""
    by_column = {field.column: field for field in spec.fields.values()}
    for name, origin in zip(statement.selected, _found(statement, database), strict=True):
        if origin != (spec.table_name, by_column[name]) and not statement.is_compound:
            raise SqlError(f"the {name!r} that is selected is not that of {spec.entity_type}", "say 'returns: rows'")
