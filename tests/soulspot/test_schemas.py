"""The schemas against the application that they replace: every table and column of version 2 is accounted for.

`UPDATE_DOCS=1 pytest tests/soulspot` writes docs/soulspot-v2.md anew.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import read_schemas

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from comparison import Comparison, load_schemas  # noqa: E402
from differences import entry_key, explain, markdown  # noqa: E402

LISTED = yaml.safe_load((HERE / "differences.yaml").read_text("utf-8"))
OLD = json.loads((HERE / "version_2_tables.json").read_text("utf-8"))
REASONS = {entry_key(entry): entry["why"] for entry in LISTED["differences"]}


@pytest.fixture(scope="module")
def found():
    return list(Comparison(OLD, load_schemas(ROOT / "schemas"), LISTED["tables"], LISTED["columns"]))


def test_every_table_of_version_2_has_an_entity():
    resolved = read_schemas(load_configuration(ROOT))
    assert len(OLD) == 24
    assert {LISTED["tables"][name] for name in OLD} <= {entity.path for entity in resolved.entities}


def test_every_difference_is_listed_with_its_reason(found):
    assert [difference for difference in found if explain(difference, REASONS) is None] == []


def test_every_listed_difference_is_there_and_listed_once(found):
    used = {explain(difference, REASONS) for difference in found}
    assert [key for key in REASONS if key not in used] == []
    assert [key for key, times in Counter(map(entry_key, LISTED["differences"])).items() if times > 1] == []


def test_the_page_lists_every_difference(found):
    page = ROOT / "docs/soulspot-v2.md"
    text = markdown(found, REASONS, LISTED["tables"]) + "\n"
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(text, "utf-8")
    assert page.read_text("utf-8") == text, "run UPDATE_DOCS=1 pytest tests/soulspot"


@pytest.mark.parametrize(
    ("entity", "change"),
    [
        ("metadata.artist", lambda fields: fields["name"].update(max_length=254)),
        ("metadata.artist", lambda fields: fields.pop("tidal_id")),
        ("library.track", lambda fields: fields["album_id"].update(on_delete="cascade")),
        ("soulseek.download", lambda fields: fields["max_retries"].update(default=4)),
        ("core.app_setting", lambda fields: fields["value"].update(nullable=False)),
    ],
)
def test_a_difference_that_nobody_listed_is_found(entity, change):
    schemas = load_schemas(ROOT / "schemas")
    change(schemas[entity]["fields"])
    found = Comparison(OLD, schemas, LISTED["tables"], LISTED["columns"])
    assert [difference for difference in found if explain(difference, REASONS) is None]
