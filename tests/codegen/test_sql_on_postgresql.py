"""The queries in SQL of the golden tree and of the documentation, as PostgreSQL reads them, where there is one."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from language_support import ask_postgresql
from projects import CASES, REPOSITORY, write_project
from soulspot_db.language.table import describe
from soulspot_db.sql.dialects import DIALECTS
from soulspot_db.sql.tables import make_table
from soulspot_db.sql.written import prepared
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import read_schemas
from sqlalchemy.schema import CreateIndex, CreateTable

POSTGRESQL = DIALECTS["postgresql"]
_BLOCK = re.compile(r"^```yaml\n# schemas/(?P<file>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def golden_files() -> dict[str, str]:
    schemas = CASES / "sql_queries/schemas"
    return {path.relative_to(schemas).as_posix(): path.read_text("utf-8") for path in schemas.rglob("*.yaml")}


def documented_files() -> dict[str, str]:
    page = (REPOSITORY / "docs/schema-reference.md").read_text("utf-8")
    return {found["file"]: found["text"] for found in _BLOCK.finditer(page)}


def statements(root: Path) -> tuple[list[str], list[str]]:
    """CREATE statements for the tables, without their references, and every query as it is sent."""
    entities = read_schemas(load_configuration(root)).entities
    tables = [make_table(describe(entity.spec, None), sa.MetaData()) for entity in entities]
    made = [CreateTable(table) for table in tables] + [
        CreateIndex(index) for table in tables for index in table.indexes
    ]
    queries = [
        prepared(query, query.sql, entity.spec, POSTGRESQL).sql
        for entity in entities
        for query in entity.spec.queries.values()
        if query.sql is not None
    ]
    return [str(each.compile(dialect=POSTGRESQL.compiler)) for each in made], queries


@pytest.mark.parametrize(("files", "least"), [(golden_files, 10), (documented_files, 4)])
def test_every_query_can_be_prepared(tmp_path, files, least):
    made, queries = statements(write_project(tmp_path, files()))
    assert len(queries) >= least
    script = ["CREATE SCHEMA made_for_a_test; SET search_path TO made_for_a_test", *made]
    script += [f"PREPARE q{number} AS {sql}" for number, sql in enumerate(queries)]
    assert ask_postgresql(";\n".join([*script, "SELECT count(*) FROM pg_prepared_statements;"])) in (
        None,
        [str(len(queries))],
    )
