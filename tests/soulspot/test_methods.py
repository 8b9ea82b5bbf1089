"""Every data-access method of version 2 is accounted for, and what replaces it exists.

`UPDATE_DOCS=1 pytest tests/soulspot` writes docs/soulspot-methods.md anew.
"""

import os
import sys
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from soulspot_db import DatabaseService

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from methods import NAMED, OLD, faults, markdown  # noqa: E402


@pytest.fixture
def db():
    return AsyncMock(spec=DatabaseService)


def test_every_method_has_a_replacement_that_exists(db):
    assert len(OLD) == 247
    assert list(faults(OLD, NAMED, db)) == []


def test_the_page_lists_every_method():
    page = ROOT / "docs/soulspot-methods.md"
    text = markdown(OLD, NAMED) + "\n"
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(text, "utf-8")
    assert page.read_text("utf-8") == text, "run UPDATE_DOCS=1 pytest tests/soulspot"


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (None, "Artist.get: nothing replaces it"),
        ({"by": "schema", "with": "metadata.artist.got"}, "Artist.get: there is no metadata.artist.got"),
        ({"by": "schema", "with": "metadata.artists.get"}, "Artist.get: there is no metadata.artists.get"),
        ({"by": "schema", "with": "metadata.artist._get"}, "Artist.get: there is no metadata.artist._get"),
        ({"by": "query", "with": "metadata.artist.get"}, "Artist.get: metadata.artist.get is no query of the schema"),
        (
            {"by": "schema", "with": "metadata.artist.get_by_name"},
            "Artist.get: metadata.artist.get_by_name is a query of the schema",
        ),
        (
            {"by": "query", "with": "soulseek.download.list_recent"},
            "Artist.get: soulseek.download.list_recent is a query in SQL of the schema",
        ),
        ({"by": "schema"}, "Artist.get: does not say which method"),
        ({"by": "magic"}, "Artist.get: by magic"),
        ({"by": "schema", "with": "metadata.artist.get", "when": "now"}, "Artist.get: unknown when"),
    ],
)
def test_a_wrong_entry_is_found(db, entry, fault):
    named = {name: found for name, found in NAMED.items() if name != "Artist.get"}
    if entry is not None:
        named["Artist.get"] = entry
    assert list(faults(OLD, named, db)) == [fault]


def test_an_entry_for_no_method_is_found(db):
    named = NAMED | {"Artist.sing": {"by": "schema", "with": "metadata.artist.get"}}
    assert list(faults(OLD, named, db)) == ["Artist.sing: version 2 has no such method"]
