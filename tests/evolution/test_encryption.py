"""A field that is encrypted from a revision on: its values stay until `keys rotate`, and no migration decrypts them."""

import asyncio

import pytest
from evolutions import text_of
from soulspot_db import MigrationError
from soulspot_db.migrations.runner import migrate

KEY = "id: {type: integer, primary_key: true}"
BEFORE = [
    KEY,
    "word: {type: string, max_length: 9}",
    "note: {type: text, nullable: true, default: x}",
    "data: {type: json, nullable: true}",
    "seed: {type: bytes, nullable: true, max_length: 4}",
]
AFTER = [
    KEY,
    "word: {type: string, max_length: 9, encrypted: true}",
    "note: {type: text, nullable: true, default: x, encrypted: true}",
    "data: {type: json, nullable: true, encrypted: true}",
    "seed: {type: bytes, nullable: true, max_length: 4, encrypted: true}",
]
ROW = {"id": 1, "word": "one", "note": "n", "data": '{"a":[1]}', "seed": None}


def song(*fields):
    return {"m/song.yaml": f"fields: {{{', '.join(fields)}}}"}


@pytest.fixture(params=["home", "server_home"])
def place(request):
    """A project with its database, on SQLite and on PostgreSQL."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def filled(place):
    place.generate(song(*BEFORE))
    place.migrate()
    place.insert("m_songs", ROW)
    return place


def told(place):
    said = []
    asyncio.run(migrate(place.settings, place.migrations, said.append, backup=False))
    return said


def test_values_stay_and_checks_and_lengths_go(filled):
    filled.generate(song(*AFTER))
    said = told(filled)
    filled.require_sound()
    (row,) = filled.rows("m_songs")
    assert {**row, "data": row["data"].replace(" ", "")} == ROW
    assert "word, note, data, seed of m_songs are still plain: run `soulspot-db keys rotate` next" in said
    filled.insert(
        "m_songs", {"id": 2, "word": "a token that is longer", "data": "no json", "note": None, "seed": b"longer"}
    )


def test_nothing_is_said_where_there_is_no_value(place):
    place.generate(song(*BEFORE))
    place.migrate()
    place.generate(song(*AFTER))
    assert not [line for line in told(place) if "keys rotate" in line]


def test_the_revision_says_what_it_is_about_and_what_is_left_to_do(home):
    home.generate(song(KEY, "word: {type: text}"))
    plan = home.generate(song(KEY, "word: {type: text, encrypted: true}"))
    assert plan.revision.title == "Encrypt song.word"
    assert plan.revision.operations == ["let `soulspot-db keys rotate` encrypt word of m_songs"]
    assert "steps.to_be_encrypted('m_songs', ['word'])" in text_of(home.newest).replace('"', "'")
    assert home.generate().revision is None
    assert home.generate(song(KEY, "word: {type: string, encrypted: true}")).revision is None  # which are stored alike


def test_there_is_no_way_back(filled):
    before = filled.newest
    filled.generate(song(*AFTER))
    filled.migrate()
    with pytest.raises(MigrationError, match="no migration can decrypt word of m_songs"):
        filled.migrate(to=before.name[:4])


def test_decrypting_is_refused_with_the_way_out(home):
    home.generate(song(*AFTER))
    complaint = home.complaint(song(*BEFORE))
    assert complaint.count("is encrypted, and no migration has the keys") == 4
    assert "add a field under a new name, fill it in your program, then remove this one" in complaint


def test_type_and_encryption_change_one_after_the_other(home):
    home.generate(song(KEY, "word: {type: integer}"))
    complaint = home.complaint(song(KEY, "word: {type: text, encrypted: true}"))
    assert "nobody can say how integer becomes encrypted text" in complaint
    assert "change the type in one revision, and let the next one encrypt it" in complaint


def test_a_new_required_field_can_only_begin_as_nullable(place):
    place.generate(song(KEY))
    complaint = place.complaint(song(KEY, "word: {type: text, encrypted: true, default: x}"))
    assert "let it be 'nullable: true': no migration can encrypt a value for them" in complaint
    place.migrate()
    place.insert("m_songs", {"id": 1})
    place.generate(song(KEY, "word: {type: text, encrypted: true, nullable: true, default: x}"))
    place.migrate()
    place.require_sound()
    assert place.rows("m_songs") == [{"id": 1, "word": None}]  # the default of the runtime, which has the key


def test_a_new_name_and_encryption_come_together(filled):
    filled.generate(song(KEY, "secret: {type: string, encrypted: true, renamed_from: word}", *AFTER[2:]))
    filled.migrate()
    filled.require_sound()
    assert filled.rows("m_songs")[0]["secret"] == "one"


def test_an_encrypted_column_can_be_renamed_and_dropped(filled):
    filled.generate(song(*AFTER))
    filled.migrate()
    renamed = [field.replace("word: {", "secret: {renamed_from: word, ") for field in AFTER]
    filled.generate(song(*renamed))
    filled.migrate()
    filled.require_sound()
    assert filled.rows("m_songs")[0]["secret"] == "one"
    text = f"{song(*renamed[:1], *renamed[2:])['m/song.yaml']}\nremoved: {{secret: {{data: discard, reason: x}}}}"
    plan = filled.generate({"m/song.yaml": text})
    filled.migrate(allow=[plan.revision.id])
    filled.require_sound()
