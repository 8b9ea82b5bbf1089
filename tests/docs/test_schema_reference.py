"""docs/schema-reference.md names every key and every type; `UPDATE_DOCS=1 pytest tests/docs` writes its tables."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from docs_reference import EXAMPLES, filled
from projects import run, write_project
from soulspot_db.language.document import (
    CacheDocument,
    EntityDocument,
    IndexDocument,
    MixinDocument,
    ModuleDocument,
    RelationDocument,
    RemovalDocument,
)
from soulspot_db.language.field_document import FieldDocument, ItemsDocument
from soulspot_db.language.query_document import QueryDocument, SqlDocument
from soulspot_db.language.types import TYPES
from soulspot_db.language.upserts import UpsertDocument
from soulspot_db_codegen.yaml_reader import read_yaml

PAGE = Path(__file__).parents[2] / "docs/schema-reference.md"
DOCUMENTS = {
    "entity": EntityDocument,
    "field": FieldDocument,
    "index": IndexDocument,
    "items": ItemsDocument,
    "query": QueryDocument,
    "relation": RelationDocument,
    "sql": SqlDocument,
    "upsert": UpsertDocument,
    "removal": RemovalDocument,
    "cache": CacheDocument,
    "mixin": MixinDocument,
    "module": ModuleDocument,
}
# What a document needs beside any one key.
LEAST: dict[str, dict[str, Any]] = {
    "entity": {"entity_type": "a", "table_name": "b", "fields": {"id": {"type": "uuid"}}},
    "field": {"type": "text"},
    "index": {"fields": ["id"]},
    "items": {},
    "query": {},
    "relation": {},
    "sql": {"sqlite": "SELECT 1", "postgresql": "SELECT 1"},
    "upsert": {"match": ["id"]},
    "removal": {"data": "discard", "reason": "x"},
    "cache": {},
    "mixin": {"fields": {"id": {"type": "uuid"}}},
    "module": {},
}
_BLOCK = re.compile(r"^```yaml\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tables_of_the_page_are_current():
    page = PAGE.read_text("utf-8")
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(filled(page), "utf-8")
        page = PAGE.read_text("utf-8")
    assert page == filled(page), "run UPDATE_DOCS=1 pytest tests/docs"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_key_has_an_example_that_is_accepted(name):
    assert set(EXAMPLES[name]) == set(DOCUMENTS[name].model_fields)
    for key, line in EXAMPLES[name].items():
        data = read_yaml(line).data
        assert list(data) == [key]
        DOCUMENTS[name].model_validate(LEAST[name] | data)


def test_every_type_has_a_row():
    rows = re.findall(
        r"^\| `(\w+)` \|", PAGE.read_text("utf-8").partition("<!-- types -->")[2].partition("<!-- end")[0], re.MULTILINE
    )
    assert rows == [*TYPES]


def test_the_examples_of_the_page_generate(tmp_path):
    """Each block says in its first line which file it is; together they are a project."""
    blocks = [found["text"] for found in _BLOCK.finditer(PAGE.read_text("utf-8"))]
    files = {text.partition("\n")[0].removeprefix("# schemas/"): text for text in blocks}
    assert len(files) == len(blocks) >= 4
    outcome = run(write_project(tmp_path, files))
    assert (outcome.code, outcome.err) == (0, "")
