"""What needs a hint: what is said without one, where, and that a hint counts once."""

import pytest
from evolutions import text_of
from soulspot_db import MigrationError

ID = "  id: {type: integer, primary_key: true}\n"


def entity(*fields, head="", tail=""):
    return f"{head}fields:\n{ID}" + "".join(f"  {field}\n" for field in fields) + tail


SONG = entity("title: {type: string}")


# Each: the schemas before, the schemas after, and all that is said.
REFUSALS = {
    "a new required field without a value for rows": (
        {"m/song.yaml": SONG},
        {"m/song.yaml": entity("title: {type: string}", "year: {type: integer}")},
        (
            "schemas/m/song.yaml:4:9: rows that exist have no value for this new required field\n"
            "    write 'backfill: ...' for the rows that exist, or 'default: ...' for new rows as well"
        ),
    ),
    "a type that no value can become": (
        {"m/song.yaml": SONG},
        {"m/song.yaml": entity("title: {type: bytes}")},
        (
            "schemas/m/song.yaml:3:10: nobody can say how string becomes bytes\n"
            "    add a field of the new type under a new name, and fill it in a data revision"
        ),
    ),
    "a field that is gone": (
        {"m/song.yaml": SONG},
        {"m/song.yaml": entity()},
        (
            "schemas/m/song.yaml:1:1: column 'title' of 'm_songs' is gone\n"
            "    if its values may go, write 'removed: {title: {data: discard, reason: ...}}'"
        ),
    ),
    "a field that is gone beside one that is new": (
        {"m/song.yaml": SONG},
        {"m/song.yaml": entity("name: {type: string, nullable: true}")},
        (
            "schemas/m/song.yaml:1:1: column 'title' of 'm_songs' is gone\n"
            "    if it has another name now, write 'renamed_from: title' there (name?); "
            "if its values may go, write 'removed: {title: {data: discard, reason: ...}}'"
        ),
    ),
    "an entity that is gone": (
        {"m/song.yaml": SONG, "m/album.yaml": entity()},
        {"m/album.yaml": entity()},
        (
            "migrations/snapshot/m/song.json:1:1: the entity 'song' is gone\n"
            "    if its rows may go, write 'removed: {song: {data: discard, reason: ...}}' in m/_module.yaml"
        ),
    ),
    "an entity that is gone beside one that is new": (
        {"m/song.yaml": SONG},
        {"m/track.yaml": SONG},
        (
            "migrations/snapshot/m/song.json:1:1: the entity 'song' is gone\n"
            "    if it has another name now, write 'renamed_from: song' there (m/track?); "
            "if its rows may go, write 'removed: {song: {data: discard, reason: ...}}' in m/_module.yaml"
        ),
    ),
    "a former entity that never was": (
        {"m/song.yaml": SONG},
        {"m/song.yaml": SONG, "m/album.yaml": entity(head="renamed_from: record\n")},
        "schemas/m/album.yaml:1:1: there was no entity 'record'\n    correct or remove 'renamed_from'",
    ),
    "a former entity that is still there": (
        {"m/song.yaml": SONG},
        {"m/song.yaml": SONG, "m/track.yaml": entity(head="renamed_from: song\n")},
        "schemas/m/track.yaml:1:1: the entity 'song' is still there\n    remove its file, or 'renamed_from' here",
    ),
    "one entity renamed to two": (
        {"m/song.yaml": SONG},
        {
            "m/piece.yaml": entity("title: {type: string}", head="renamed_from: song\n"),
            "m/track.yaml": entity(head="renamed_from: song\n"),
        },
        "schemas/m/track.yaml:1:1: 'song' was renamed to 'piece' already\n    remove one of the two",
    ),
    "a former column that never was": (
        {"m/song.yaml": SONG},
        {
            "m/song.yaml": entity(
                "title: {type: string}", "year: {type: integer, nullable: true, renamed_from: published}"
            )
        },
        "schemas/m/song.yaml:4:9: there was no column 'published' in 'm_songs'\n    correct or remove 'renamed_from'",
    ),
    "a new name that a column had already": (
        {"m/song.yaml": entity("title: {type: string}", "name: {type: string}")},
        {"m/song.yaml": entity("name: {type: string, renamed_from: title}")},
        (
            "schemas/m/song.yaml:3:9: there was a column 'name' already, and nothing says what becomes of it\n"
            "    rename or remove that one in a revision before this one"
        ),
    ),
    "a former column that another field still stores in": (
        {"m/song.yaml": SONG},
        {
            "m/song.yaml": entity(
                "heading: {type: string, column: title}", "name: {type: string, nullable: true, renamed_from: title}"
            )
        },
        "schemas/m/song.yaml:4:9: the column 'title' is still there\n    remove the field that has it, or 'renamed_from' here",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_edit_that_needs_a_hint_is_refused_with_its_place_and_the_way_out(home, name):
    before, after, said = REFUSALS[name]
    home.generate(before)
    assert home.complaint(after) == said


def test_all_that_is_unclear_is_told_at_once(home):
    home.generate({"m/song.yaml": SONG, "m/album.yaml": entity("title: {type: string}")})
    said = home.complaint({"m/song.yaml": entity("year: {type: integer}"), "m/album.yaml": entity()})
    assert said.count("is gone") == 2
    assert said.count("rows that exist have no value") == 1


WAYS_OUT = {
    "a default": ({"m/song.yaml": entity("title: {type: string}", "year: {type: integer, default: 1958}")}, 1958),
    "a backfill": ({"m/song.yaml": entity("title: {type: string}", "year: {type: integer, backfill: 1958}")}, 1958),
    "no need of a value": (
        {"m/song.yaml": entity("title: {type: string}", "year: {type: integer, nullable: true}")},
        None,
    ),
}


@pytest.mark.parametrize("name", WAYS_OUT)
def test_a_new_field_gives_rows_that_exist_what_the_schema_says(home, name):
    schemas, value = WAYS_OUT[name]
    home.generate({"m/song.yaml": SONG})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'Sinnerman')")
    home.generate(schemas)
    home.migrate()
    home.require_sound()
    assert home.rows("m_songs") == [{"id": 1, "title": "Sinnerman", "year": value}]


REQUIRED = {
    "its default": ("n: {type: integer, default: 5}", [5, 7]),
    "its backfill, also where it has a default": ("n: {type: integer, default: 5, backfill: 6}", [6, 7]),
}


@pytest.mark.parametrize("name", REQUIRED)
def test_a_field_that_becomes_required_fills_rows_without_a_value_with(home, name):
    field, values = REQUIRED[name]
    home.generate({"m/song.yaml": entity("n: {type: integer, nullable: true}")})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, NULL), (2, 7)")
    home.generate({"m/song.yaml": entity(field)})
    home.migrate()
    home.require_sound()
    assert [row["n"] for row in home.rows("m_songs")] == values


def test_a_required_field_whose_values_we_make_has_one_for_each_row_that_had_none(home):
    home.generate({"m/song.yaml": entity("code: {type: uuid, nullable: true}")})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, NULL), (2, NULL)")
    home.generate({"m/song.yaml": entity("code: {type: uuid, default: uuid7, unique: true}")})
    home.migrate()
    home.require_sound()
    assert len({row["code"] for row in home.rows("m_songs")}) == 2


def test_what_a_tombstone_archives_is_kept_and_needs_nobodys_consent(home):
    home.generate({"m/song.yaml": SONG})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'Sinnerman')")
    home.generate({"m/song.yaml": entity(tail="removed:\n  title: {data: archive, reason: It is unused.}\n")})
    home.migrate()
    home.require_sound()
    assert home.rows(home.table("archived_m_songs_title_*")) == [{"id": 1, "title": "Sinnerman"}]


def test_what_a_tombstone_discards_needs_consent_as_long_as_there_is_any(home):
    home.generate({"m/song.yaml": SONG})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'Sinnerman')")
    buried = {"m/song.yaml": entity(tail="removed:\n  title: {data: discard, reason: It is unused.}\n")}
    revision = home.generate(buried).revision
    with pytest.raises(MigrationError, match="the values of title of m_songs would be lost, in 1 row"):
        home.migrate()
    home.migrate(allow=[revision.id])
    home.require_sound()
    assert home.rows("m_songs") == [{"id": 1}]


# Hints that stay.


def test_a_rename_counts_once_though_its_hint_stays(home):
    home.generate({"m/song.yaml": SONG})
    renamed = {"m/song.yaml": entity("name: {type: string, renamed_from: title}")}
    assert home.operations(renamed) == [
        "rename column title of m_songs to name",
    ]
    assert home.operations(renamed) == []
    more = entity("name: {type: string, renamed_from: title}", "year: {type: integer, nullable: true}")
    assert home.operations({"m/song.yaml": more}) == ["add column year to m_songs"]


def test_a_swap_of_fields_counts_once_though_its_hints_stay(home):
    home.generate({"m/song.yaml": entity("a: {type: string}", "b: {type: string}")})
    home.migrate()
    home.sql("INSERT INTO m_songs (id, a, b) VALUES (1, 'of a', 'of b')")
    fields = ["a: {type: string, renamed_from: b}", "b: {type: string, renamed_from: a}"]
    assert home.operations({"m/song.yaml": entity(*fields)}) != []
    home.migrate()
    assert home.rows("m_songs") == [{"id": 1, "a": "of b", "b": "of a"}]
    assert home.operations({"m/song.yaml": entity(*fields)}) == []
    assert home.operations({"m/song.yaml": entity(*fields, "c: {type: text, nullable: true}")}) == [
        "add column c to m_songs"
    ]
    home.migrate()
    home.require_sound()
    assert home.rows("m_songs") == [{"id": 1, "a": "of b", "b": "of a", "c": None}]


def test_a_swap_of_entities_counts_once_though_its_hints_stay(home):
    home.generate({"m/song.yaml": entity(), "m/tune.yaml": entity()})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1)", "INSERT INTO m_tunes VALUES (2)")
    swapped = {"m/song.yaml": entity(head="renamed_from: tune\n"), "m/tune.yaml": entity(head="renamed_from: song\n")}
    assert home.operations(swapped) != []
    home.migrate()
    home.require_sound()
    assert (home.rows("m_songs"), home.rows("m_tunes")) == ([{"id": 2}], [{"id": 1}])
    assert home.operations(swapped) == []


INDEXED = entity("title: {type: string, unique: true}")


def test_entities_that_swap_their_names_swap_those_of_their_indexes(home):
    home.generate({"m/song.yaml": INDEXED, "m/tune.yaml": INDEXED})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'a')", "INSERT INTO m_tunes VALUES (2, 'b')")
    home.generate({"m/song.yaml": f"renamed_from: tune\n{INDEXED}", "m/tune.yaml": f"renamed_from: song\n{INDEXED}"})
    home.migrate()
    home.require_sound()
    assert (home.rows("m_songs"), home.rows("m_tunes")) == ([{"id": 2, "title": "b"}], [{"id": 1, "title": "a"}])


def test_a_new_entity_may_have_the_table_that_another_was_renamed_from(home):
    home.generate({"m/song.yaml": INDEXED})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'a')")
    home.generate({"m/piece.yaml": f"renamed_from: song\n{INDEXED}", "m/fresh.yaml": f"table_name: m_songs\n{INDEXED}"})
    home.migrate()
    home.require_sound()
    assert (home.rows("m_songs"), home.rows("m_pieces")) == ([], [{"id": 1, "title": "a"}])


def test_a_new_entity_in_the_table_of_one_that_was_buried_begins_without_its_rows(home):
    home.generate({"m/song.yaml": INDEXED, "m/tune.yaml": entity()})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'a')")
    buried = "removed: {song: {data: archive, reason: It is unused.}}\n"
    fresh = {"m/_module.yaml": buried, "m/fresh.yaml": f"table_name: m_songs\n{INDEXED}", "m/tune.yaml": entity()}
    home.generate(fresh)
    home.migrate()
    home.require_sound()
    kept = home.table("archived_m_songs_*")
    assert (home.rows("m_songs"), home.rows(kept)) == ([], [{"id": 1, "title": "a"}])
    assert home.operations(fresh) == []


def test_part_of_a_key_is_archived_once(home):
    home.generate({"m/song.yaml": "primary_key: [a, b]\nfields: {a: {type: integer}, b: {type: integer}}\n"})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 2)")
    tail = "removed: {b: {data: archive, reason: It is unused.}}\n"
    home.generate({"m/song.yaml": f"fields: {{a: {{type: integer, primary_key: true}}}}\n{tail}"})
    home.migrate()
    home.require_sound()
    assert home.rows(home.table("archived_m_songs_b_*")) == [{"a": 1, "b": 2}]


def test_an_index_may_take_the_name_that_one_of_another_table_had(home):
    index = "indexes: [{fields: [title desc], name: newest}]\n"
    home.generate({"m/song.yaml": SONG + index, "m/tune.yaml": SONG, "m/album.yaml": SONG})
    home.generate({"m/song.yaml": SONG, "m/tune.yaml": SONG, "m/album.yaml": SONG + index})
    home.migrate()
    home.require_sound()


def test_a_reference_may_point_at_a_key_that_is_new(home):
    home.generate({"m/song.yaml": entity(), "m/play.yaml": entity()})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1), (2)", "INSERT INTO m_plays VALUES (7)")
    song = "fields:\n  id: {type: integer}\n  code: {type: uuid, primary_key: true, backfill: uuid4}\n"
    home.generate(
        {"m/song.yaml": song, "m/play.yaml": entity("song: {type: uuid, nullable: true, references: m.song}")}
    )
    home.migrate()
    home.require_sound()
    assert sorted(row["id"] for row in home.rows("m_songs")) == [1, 2]
    assert home.rows("m_plays") == [{"id": 7, "song": None}]


def test_the_way_back_refuses_rows_that_the_old_tables_would_not_take(home):
    parent = home.generate({"m/song.yaml": entity("title: {type: string, max_length: 3}")}).revision
    home.generate({"m/song.yaml": SONG})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'long')")
    before = home.dump()
    with pytest.raises(MigrationError, match=r"1 row of m_songs whose title is longer than 3 characters \(1\)"):
        home.migrate(to=parent.id)
    assert home.dump() == before
    home.sql("DELETE FROM m_songs")
    home.migrate(to=parent.id)


def test_removing_a_hint_that_has_counted_changes_the_snapshot_alone(home):
    home.generate({"m/song.yaml": SONG})
    home.generate({"m/song.yaml": entity("name: {type: string, renamed_from: title}")})
    plan = home.generate({"m/song.yaml": entity("name: {type: string}")})
    assert plan.revision is None
    assert [change.path for change in plan.changes] == ["migrations/snapshot/m/song.json"]


def test_tombstones_and_backfills_that_have_counted_are_harmless(home):
    home.generate({"m/song.yaml": SONG, "m/album.yaml": SONG})
    tail = "removed:\n  title: {data: discard, reason: It is unused.}\n"
    after = {
        "m/_module.yaml": "removed:\n  album: {data: discard, reason: It is unused.}\n",
        "m/song.yaml": entity("year: {type: integer, backfill: 1958}", tail=tail),
    }
    assert home.operations(after) != []
    assert home.operations(after) == []


def test_a_field_may_come_back_under_the_name_of_one_that_was_renamed_away(home):
    home.generate({"m/song.yaml": SONG})
    home.generate({"m/song.yaml": entity("name: {type: string, renamed_from: title}")})
    again = entity("name: {type: string}", "title: {type: string, nullable: true}")
    assert home.operations({"m/song.yaml": again}) == ["add column title to m_songs"]


# Hints that have counted, and names that are free again.


def test_a_new_field_may_have_the_name_that_another_was_renamed_from(home):
    home.generate({"m/song.yaml": SONG})
    renamed = "name: {type: string, renamed_from: title}"
    home.generate({"m/song.yaml": entity(renamed)})
    both = {"m/song.yaml": entity(renamed, "title: {type: string, nullable: true}")}
    assert home.operations(both) == ["add column title to m_songs"]
    assert home.operations(both) == []


def test_a_rename_from_a_field_that_is_still_there_is_refused(home):
    home.generate({"m/song.yaml": SONG})
    said = home.complaint(
        {"m/song.yaml": entity("title: {type: text}", "name: {type: text, nullable: true, renamed_from: title}")}
    )
    assert said == (
        "schemas/m/song.yaml:4:9: the column 'title' is still there\n"
        "    remove the field that has it, or 'renamed_from' here"
    )


def test_what_a_hint_that_has_counted_is_in_the_way_of_says_that_it_may_go(home):
    home.generate({"m/song.yaml": SONG})
    first = "name: {type: string, renamed_from: title}"
    home.generate({"m/song.yaml": entity(first)})
    home.generate({"m/song.yaml": entity(first, "title: {type: string, nullable: true}")})
    said = home.complaint(
        {"m/song.yaml": entity(first, "heading: {type: string, nullable: true, renamed_from: title}")}
    )
    assert (
        "'title' was renamed to 'name' already\n    remove one of the two; a 'renamed_from' that has counted may go"
        in said
    )
    said = home.complaint({"m/song.yaml": entity(first, tail="removed: {title: {data: discard, reason: No.}}\n")})
    assert "a 'renamed_from' that has counted may go" in said


def test_a_tombstone_of_an_entity_that_is_there_is_refused_at_its_line(home):
    home.generate({"m/song.yaml": SONG, "m/album.yaml": SONG})
    buried = "description: Music.\nremoved:\n  album: {data: discard, reason: It is unused.}\n"
    said = home.complaint({"m/_module.yaml": buried, "m/song.yaml": SONG, "m/album.yaml": SONG})
    assert said == (
        "schemas/m/_module.yaml:3:10: the entity 'album' is still there\n"
        "    remove one of the two; a tombstone that has counted may go"
    )


def test_a_tombstone_names_a_column_and_not_a_field(home):
    home.generate({"m/song.yaml": entity("title: {type: string}", "name: {type: string}")})
    tail = "removed: {title: {data: archive, reason: It is unused.}}\n"
    fields = "title: {type: string, column: name}"
    assert home.operations({"m/song.yaml": entity(fields, tail=tail)})[-1] == "rebuild table m_songs: drop column title"
    said = home.complaint({"m/song.yaml": entity(fields, tail=tail.replace("title", "name"))})
    assert "the column of 'title' is still there" in said


MOVED = entity("title: {type: string}", head="renamed_from: song\ntable_name: m_pieces\n")


def test_an_entity_whose_rename_has_counted_may_move_with_its_hint(home):
    home.generate({"m/song.yaml": SONG})
    home.generate({"m/piece.yaml": MOVED})
    assert home.operations({"n/piece.yaml": MOVED}) == []
    assert home.operations({"n/piece.yaml": MOVED, "m/song.yaml": SONG}) == [
        "create table m_songs, 2 columns, 0 indexes"
    ]
    assert home.operations({"k/piece.yaml": MOVED, "m/song.yaml": SONG}) == []


def test_an_entity_that_moves_without_its_table_is_told_to_take_it_along(home):
    head = "renamed_from: song\n"
    home.generate({"m/song.yaml": SONG})
    home.generate({"m/piece.yaml": entity("title: {type: string}", head=head)})
    said = home.complaint({"n/piece.yaml": entity("title: {type: string}", head=head)})
    assert "if it has another name now, write 'renamed_from: piece' there (n/piece?)" in said
    moved = {"n/piece.yaml": entity("title: {type: string}", head="renamed_from: piece\n")}
    assert home.operations(moved)[0] == "rename table m_pieces to n_pieces"


@pytest.mark.parametrize(
    "field", ["n: {type: integer, unique: true, backfill: 7}", "n: {type: datetime, unique: true, backfill: now}"]
)
def test_one_value_for_all_rows_of_a_unique_field_is_refused(home, field):
    home.generate({"m/song.yaml": SONG})
    said = home.complaint({"m/song.yaml": entity("title: {type: string}", field)})
    assert said == (
        "schemas/m/song.yaml:4:6: rows that exist would all get the same value, and no two may have one\n"
        "    let it be 'nullable: true' at first, fill it in a data revision, then require it"
    )


def test_a_value_that_an_enum_loses_is_told_of_with_the_three_steps(home):
    mood = "mood: {type: enum, values: [%s]}"
    home.generate({"m/song.yaml": entity(mood % "draft, open")})
    home.write({"m/song.yaml": entity(mood % "open")})
    outcome = home.command()
    assert outcome.code == 0
    assert "note: rows of m_songs whose mood is 'draft' will stop this revision" in outcome.err
    assert "in three steps" in outcome.err
    assert "note:" not in home.command().err


# What is no change to a database.

NO_CHANGES = {
    "fields in another order": {"m/song.yaml": entity("body: {type: text}", "title: {type: string}")},
    "string becomes text": {"m/song.yaml": entity("title: {type: text}", "body: {type: text}")},
    "a field gets another name and keeps its column": {
        "m/song.yaml": entity("heading: {type: string, column: title}", "body: {type: text}")
    },
    "the entity moves to another module": {
        "n/song.yaml": entity("title: {type: string}", "body: {type: text}", head="table_name: m_songs\n")
    },
    "the entity gets another name and keeps its table": {
        "m/piece.yaml": entity("title: {type: string}", "body: {type: text}", head="table_name: m_songs\n")
    },
    "what is checked on input alone": {
        "m/song.yaml": entity("title: {type: string, pattern: '.*', sensitive: true}", "body: {type: text}")
    },
}


@pytest.mark.parametrize("name", NO_CHANGES)
def test_what_a_database_does_not_see_makes_no_revision(home, name):
    home.generate({"m/song.yaml": entity("title: {type: string}", "body: {type: text}")})
    before = {name: text_of(home.migrations / "versions" / name) for name in home.versions}
    assert home.operations(NO_CHANGES[name]) == []
    assert {name: text_of(home.migrations / "versions" / name) for name in home.versions} == before
    home.migrate()
    home.require_sound()


def test_an_entity_that_moves_takes_its_table_along_under_a_new_name_if_it_says_so(home):
    home.generate({"m/song.yaml": SONG})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'Sinnerman')")
    moved = {"n/song.yaml": entity("title: {type: string}", head="renamed_from: song\n")}
    assert home.operations(moved)[0] == "rename table m_songs to n_songs"
    home.migrate()
    home.require_sound()
    assert home.rows("n_songs") == [{"id": 1, "title": "Sinnerman"}]
