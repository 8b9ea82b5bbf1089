"""Names of generated things."""

import keyword
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import REPOSITORY
from soulspot_db_codegen import naming

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("playlist", "playlists"),
        ("playlist_track", "playlist_tracks"),
        ("category", "categories"),
        ("person", "people"),
        ("series", "series"),
        ("status", "statuses"),
        ("search_result", "search_results"),
        ("quality", "qualities"),
        ("key", "keys"),
        ("box", "boxes"),
    ],
)
def test_plural(name, expected):
    assert naming.plural(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("playlist", "Playlist"), ("playlist_track", "PlaylistTrack"), ("k8s_pod2", "K8sPod2")]
)
def test_pascal(name, expected):
    assert naming.pascal(name) == expected


@pytest.mark.parametrize("name", ["playlist", "a", "a1", "a_b", "type", "match", "id"])
def test_names(name):
    assert naming.is_name(name)


@pytest.mark.parametrize("name", ["", "1a", "_a", "A", "a-b", "a b", "é", "class", "in", "none\n", "a\n", "\uff41"])
def test_no_names(name):
    assert not naming.is_name(name)


@given(NAMES)
def test_classes_are_identifiers_and_differ(name):
    classes = naming.entity_classes(name)
    assert all(text.isidentifier() for text in classes)
    assert len(set(classes)) == len(classes)


@given(NAMES, st.sampled_from(["id", "key", "create", "update", "filter", "order", "created", "schema", "status", "x"]))
def test_the_alias_of_an_enum_hides_no_class_of_its_entity(entity, field):
    assert naming.enum_class(entity, field) not in naming.entity_classes(entity)


def test_the_alias_of_an_enum():
    assert naming.enum_class("download", "status") == "DownloadStatus"
    assert naming.enum_class("download", "order") == "DownloadOrderValue"


@pytest.mark.parametrize("name", ["self", "fresh", "changes"])
def test_parameters_that_are_taken_get_another_name(name):
    assert naming.parameter(name) == f"{name}_"
    assert naming.parameter("name") == "name"


def test_what_generated_code_needs_is_taken():
    """Every capitalised name that the templates import is in the list that entities may not use."""
    imported = set()
    for path in (REPOSITORY / "generated").rglob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("from ") and "soulspot_db_entities" not in line and " import " in line:
                imported |= {name.strip() for name in line.partition(" import ")[2].split(",")}
    capitalised = {name for name in imported if name[0].isupper()}
    assert capitalised
    assert capitalised <= naming.TAKEN_CLASSES


def test_orders_of_names_are_total():
    names = ["b", "a", "B", "A", "AB", "Track10", "Track2", "_x"]
    for order in (naming.import_order, naming.export_order):
        assert Counter(sorted(names, key=order)) == Counter(names)
        assert len({order(name) for name in names}) == len(names)
    assert sorted(names, key=naming.export_order).index("Track2") < sorted(names, key=naming.export_order).index(
        "Track10"
    )


@pytest.mark.parametrize("text", [None, "", "  ", "\n\t"])
def test_blank_prose_is_none(text):
    assert naming.prose(text) is None
    assert naming.prose(" x ") == " x "


def test_keywords_of_every_python_are_no_names():
    assert not any(naming.is_name(word) for word in keyword.kwlist)
