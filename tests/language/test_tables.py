"""Whole tables as both databases are told to make them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from language_support import SCHEMAS, ask_postgresql
from projects import CASES, REPOSITORY, write_project
from soulspot_db import ddl
from soulspot_db.language.conditions import sql_text
from soulspot_db.language.table import describe
from soulspot_db.schema import resolved
from soulspot_db.sql.tables import make_table
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import read_schemas
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.schema import CreateIndex, CreateTable

GOLDEN = sorted(path.parent for path in CASES.glob("*/expected"))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.text(
    ":\\'\"%()sa$1?@ ", max_size=8
)


def statements(metadata, dialect):
    for table in metadata.sorted_tables:
        yield str(CreateTable(table).compile(dialect=dialect))
        yield from (str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)


def tables_of(root: Path) -> sa.MetaData:
    metadata = sa.MetaData()
    for entity in read_schemas(load_configuration(root)).entities:
        make_table(entity.table, metadata)
    return metadata


def accepted(metadata):
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements(metadata, sqlite.dialect()):
            connection.execute(statement)
    script = ";\n".join(statements(metadata, asyncpg.dialect()))
    assert ask_postgresql(f"CREATE SCHEMA made_for_a_test; SET search_path TO made_for_a_test;\n{script};") in (
        None,
        [],
    )


@pytest.mark.parametrize("case", GOLDEN, ids=lambda path: path.name)
def test_both_databases_take_the_tables_of_every_case(case, tmp_path):
    write_project(tmp_path, {})
    for path in (case / "schemas").rglob("*.yaml"):
        target = tmp_path / path.relative_to(case)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    accepted(tables_of(tmp_path))


def test_both_databases_take_the_tables_of_this_repository():
    accepted(tables_of(REPOSITORY))


def test_both_databases_take_the_tables_of_hand_written_schemas():
    metadata = sa.MetaData()
    for schema in SCHEMAS:
        make_table(describe(resolved(schema).spec, None), metadata)
    accepted(metadata)


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_any_text_stands_in_a_table_as_it_is(text):
    """SQLAlchemy reads colons as parameters and some drivers percent signs; the database must see neither changed."""
    metadata = sa.MetaData()
    check = ddl.check(f'"a" <> {sql_text(text)}', name="ck_a")
    column = sa.Column("a", ddl.text(), server_default=ddl.default(text))
    other = sa.Column("b", ddl.json(), server_default=ddl.json_default([text]))
    table = sa.Table("t", metadata, column, other, check)
    sa.Index("ix_a", "a", sqlite_where=ddl.sql(f'"a" = {sql_text(text)}'))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("INSERT INTO t DEFAULT VALUES")
        assert connection.execute("SELECT a, json_extract(b, '$[0]') FROM t").fetchall() == [(text, text)]
        connection.execute("PRAGMA ignore_check_constraints = OFF")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO t (a) VALUES (?)", (text,))
        connection.execute("INSERT INTO t (a) VALUES (?)", (text + "x",))
    assert sql_text(text) in str(CreateTable(table).compile(dialect=asyncpg.dialect()))
