"""What other migration tools get wrong, as far as the comparison of schemas is concerned; numbered as we collected it."""

import os
import subprocess
import sys

import pytest
from evolutions import text_of
from projects import tree
from soulspot_db import MigrationError

ID = "  id: {type: integer, primary_key: true}\n"
SONGS = "INSERT INTO m_songs (id, title) VALUES (1, 'Sinnerman'), (2, 'Four Women')"


def entity(*fields, head="", tail=""):
    return f"{head}fields:\n{ID}" + "".join(f"  {field}\n" for field in fields) + tail


def song(*fields, **more):
    return {"m/song.yaml": entity(*fields, **more)}


@pytest.fixture
def songs(home):
    """Songs with titles, two of them."""
    home.generate(song("title: {type: string}"))
    home.migrate()
    home.sql(SONGS)
    return home


def require(home, schemas, rows, table="m_songs"):
    home.generate(schemas)
    home.migrate()
    home.require_sound()
    assert home.rows(table) == rows


def test_pitfall_12_a_generated_column_is_not_in_the_language(home):
    assert "unknown key 'generated'" in home.complaint(song("title: {type: string, generated: 'lower(name)'}"))


def test_pitfall_14_references_follow_the_names_of_tables_and_of_keys(home):
    track = "track: {type: integer, references: m.%s, on_delete: cascade}"
    home.generate({**song(), "m/play.yaml": entity(track % "song")})
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1)", "INSERT INTO m_plays VALUES (7, 1)")
    piece = "renamed_from: song\nfields:\n  number: {type: integer, primary_key: true, renamed_from: id}\n"
    home.generate({"m/piece.yaml": piece, "m/play.yaml": entity(track % "piece")})
    home.migrate()
    home.require_sound()
    key = home.structure()["m_plays"].foreign_keys["track"]
    assert (key.table, key.targets, key.on_delete) == ("m_pieces", ("number",), "CASCADE")
    home.sql("PRAGMA foreign_keys = ON", "DELETE FROM m_pieces")
    assert home.rows("m_plays") == []


def test_pitfall_15_a_table_gets_its_new_name_and_new_columns_at_once(songs):
    fields = ("name: {type: text, renamed_from: title, index: true}", "year: {type: integer, backfill: 1965}")
    piece = {"m/piece.yaml": entity(*fields, head="renamed_from: song\n")}
    rows = [{"id": 1, "name": "Sinnerman", "year": 1965}, {"id": 2, "name": "Four Women", "year": 1965}]
    require(songs, piece, rows, "m_pieces")


def test_pitfall_16_the_way_back_undoes_renames(songs):
    before = (songs.structure(), songs.rows("m_songs"))
    parent = songs.sql("SELECT version_num FROM soulspot_db_version")[0][0]
    songs.generate({"m/piece.yaml": entity("name: {type: string, renamed_from: title}", head="renamed_from: song\n")})
    songs.migrate()
    assert songs.rows("m_pieces")[0] == {"id": 1, "name": "Sinnerman"}
    songs.migrate(to=parent)
    assert (songs.structure(), songs.rows("m_songs")) == before


def test_pitfall_17_a_new_required_field_is_refused_before_there_are_any_rows(home):
    home.generate(song())
    assert "rows that exist have no value" in home.complaint(song("year: {type: integer}"))


def test_pitfall_18_what_stops_being_json_keeps_its_text(home):
    home.generate(song("tags: {type: json, nullable: true}"))
    home.migrate()
    home.sql("""INSERT INTO m_songs VALUES (1, '{"a":[1,"x"]}'), (2, NULL), (3, '["jazz"]')""")
    texts = [{"id": 1, "tags": '{"a":[1,"x"]}'}, {"id": 2, "tags": None}, {"id": 3, "tags": '["jazz"]'}]
    require(home, song("tags: {type: text, nullable: true}"), texts)


@pytest.mark.parametrize("kind", ["json", "list, items: text"])
def test_pitfall_18_text_is_not_taken_for_json(songs, kind):
    assert "nobody can say how string becomes" in songs.complaint(song(f"title: {{type: {kind}}}"))


ENUM = "mood: {type: enum, values: [%s]}"


@pytest.mark.parametrize("values", ["sad, gay", "sad, glad, gay", "gay, sad, glad", "sad, glad, a"])
def test_pitfall_19_any_other_values_of_an_enum_are_a_change(home, values):
    home.generate(song(ENUM % "sad, glad"))
    assert home.operations(song(ENUM % values)) == ["rebuild table m_songs: checks"]
    home.migrate()
    home.require_sound()
    assert all(
        f"'{value}'" in home.structure()["m_songs"].checks["ck_m_songs_mood_values"] for value in values.split(", ")
    )


def test_pitfall_20_another_condition_under_the_same_name_is_a_change(home):
    home.generate(song("year: {type: integer}", tail="checks: {sane: {year: {gte: 1900}}}\n"))
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 1958)")
    after = song("year: {type: integer}", tail="checks: {sane: {year: {gte: 2000}}}\n")
    assert home.operations(after) == ["rebuild table m_songs: checks"]
    with pytest.raises(MigrationError, match=r"1 row of m_songs against the check ck_m_songs_sane \(1\)"):
        home.migrate()
    home.sql("UPDATE m_songs SET year = 2001")
    home.migrate()
    home.require_sound()


DEFAULTS = [
    "n: {type: float, default: %s}|1|1.0",
    "n: {type: integer, default: %s}|1|2",
    "n: {type: json, default: %s}|{a: 1}|{a: true}",
    "n: {type: json, default: %s}|[1]|[1.0]",
    "n: {type: string, default: %s}|a|A",
    "n: {type: string, default: %s}|''|' '",
    "n: {type: boolean, default: %s}|true|false",
]


@pytest.mark.parametrize("case", DEFAULTS)
def test_pitfall_21_a_default_changes_when_its_text_does_and_never_else(home, case):
    field, before, after = case.split("|")
    home.generate(song(field % before))
    assert home.operations(song(field % before)) == []
    assert home.operations(song(field % after)) == ["rebuild table m_songs: default of n"]
    assert home.operations(song(field % after)) == []
    home.migrate()
    home.require_sound()


def test_pitfall_21_another_spelling_of_the_same_default_is_no_change(home):
    home.generate(song("day: {type: uuid, default: 0190B2D400007000800000000000000A}"))
    same = song("day: {type: uuid, default: '0190b2d4-0000-7000-8000-00000000000a'}")
    assert home.operations(same) == []


def test_pitfall_22_ids_fit_every_database(home):
    name = "a_very_long_name_for_a_field_that_says_all_about_what_is_in_it"
    for number in range(3):
        fields = [f"{name[:55]}_{index}: {{type: integer, nullable: true}}" for index in range(number)]
        plan = home.generate(song(*fields))
        assert len(plan.revision.id) == 12
        assert len(home.newest.name) < 80
    home.migrate()
    home.require_sound()


def test_pitfall_23_what_a_merge_brings_is_told_before_it_takes_anything(repository):
    home = repository
    home.migrate()
    home.sql("INSERT INTO music_songs VALUES ('0190b2d4-0000-7000-8000-000000000001')")
    base = "fields:\n  id: {type: uuid, primary_key: true}\n"
    home.git("checkout", "--quiet", "-b", "theirs")
    module = "removed: {song: {data: discard, reason: Nobody sings.}}\n"
    home.generate({"music/album.yaml": base, "music/_module.yaml": module})
    home.commit("Theirs")
    home.git("checkout", "--quiet", "main")
    home.generate({"music/album.yaml": f"{base}  year: {{type: integer, nullable: true}}\n", "music/song.yaml": base})
    home.commit("Ours")
    home.git("merge", "theirs", check=False)
    assert home.rebase().code == 0
    before = home.dump()
    with pytest.raises(MigrationError, match="the rows of music_songs would be lost, in 1 row"):
        home.migrate()
    assert home.dump() == before


def test_pitfall_24_an_edited_revision_is_neither_run_nor_followed(songs):
    path = songs.newest
    path.write_text(text_of(path).replace("def upgrade", "# edited\ndef upgrade"))
    assert f"versions/{path.name} is not what was recorded" in songs.complaint(
        song("title: {type: string, index: true}")
    )
    with pytest.raises(MigrationError, match=f"versions/{path.name} is not what was recorded"):
        songs.migrate()
    assert len(songs.rows("m_songs")) == 2


def test_pitfall_25_the_same_schemas_make_the_same_bytes_whatever_the_machine(home, tmp_path):
    def make(place, seed, end):
        first = entity(*(f"f{n}: {{type: string, unique: true, max_length: {n}}}" for n in range(1, 9)))
        second = entity(*(f"g{n}: {{type: text, unique: true, renamed_from: f{n}}}" for n in range(1, 9)))
        for text in (first, second):
            path = place / "schemas" / "m" / "song.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            (place / "pyproject.toml").write_text('[tool.soulspot-db]\noutput = "generated/entities"\n')
            path.write_bytes(text.replace("\n", end).encode())
            code = "from soulspot_db.cli import main; main()"
            environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo" if end == "\r\n" else "UTC"}
            subprocess.run(
                [sys.executable, "-c", code, "generate"], cwd=place, env=environment, check=True, capture_output=True
            )
        return tree(place)

    assert make(tmp_path / "one", "1", "\n") == make(tmp_path / "another", "2", "\r\n")


def test_pitfall_26_two_branches_from_one_parent_are_found_before_anything_is_run(repository):
    home = repository
    base = "fields:\n  id: {type: uuid, primary_key: true}\n"
    year = "  year: {type: integer, nullable: true}\n"
    home.git("checkout", "--quiet", "-b", "theirs")
    home.generate({"music/song.yaml": base + year, "music/album.yaml": base})
    home.commit("Theirs")
    home.git("checkout", "--quiet", "main")
    home.generate({"music/song.yaml": base, "music/album.yaml": base + year})
    home.commit("Ours")
    home.git("merge", "theirs", check=False)
    home.git("checkout", "--ours", "migrations/migrations.sum")
    with pytest.raises(MigrationError, match=r"is not in migrations.sum.*soulspot-db rebase") as caught:
        raise_in_full(home)
    assert "0002_add_year_to_song.py" in str(caught.value)
    assert home.command().code == 1
    assert home.rebase().code == 0
    home.migrate()
    home.require_sound()


def raise_in_full(home):
    try:
        home.migrate()
    except MigrationError as error:
        raise MigrationError(str(error).replace("\n", " ")) from None


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (song("title: {type: string}", "artist: {type: string, unique: true}"), "the same artist as another"),
        (
            song(
                "title: {type: string}",
                "artist: {type: string}",
                tail="indexes: [{fields: [lower(artist)], unique: true}]\n",
            ),
            "the same artist as another",
        ),
        (
            song(
                "title: {type: string}",
                "artist: {type: string}",
                tail="indexes: [{fields: [artist, title], unique: true}]\n",
            ),
            "the same artist and title as another",
        ),
    ],
    ids=["a field", "an expression", "two fields"],
)
def test_pitfall_32_duplicates_are_found_before_unique(home, after, said):
    home.generate(song("title: {type: string}", "artist: {type: string}"))
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'a', 'Nina'), (2, 'a', 'Nina'), (3, 'b', 'Ella')")
    home.generate(after)
    before = home.dump()
    with pytest.raises(MigrationError, match=rf"there are 2 rows of m_songs with {said} \(1, 2\)"):
        home.migrate()
    assert home.dump() == before


def test_pitfall_32_rows_outside_a_partial_unique_index_may_repeat(home):
    home.generate(song("artist: {type: string}", "gone: {type: boolean}"))
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'Nina', 1), (2, 'Nina', 1), (3, 'Nina', 0)")
    tail = "indexes: [{fields: [artist], unique: true, where: {gone: false}}]\n"
    home.generate(song("artist: {type: string}", "gone: {type: boolean}", tail=tail))
    home.migrate()
    home.require_sound()


def test_pitfall_33_a_former_name_is_used_or_complained_about(songs):
    assert "there was no column 'titel'" in songs.complaint(song("name: {type: string, renamed_from: titel}"))
    require(
        songs,
        song("name: {type: string, renamed_from: title}"),
        [{"id": 1, "name": "Sinnerman"}, {"id": 2, "name": "Four Women"}],
    )


def test_pitfall_33_a_swap_that_leaves_the_tables_as_they_look_is_not_ignored(home):
    home.generate(song("a: {type: string}", "b: {type: string}"))
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'of a', 'of b')")
    swapped = song("a: {type: string, renamed_from: b}", "b: {type: string, renamed_from: a}")
    assert len(home.operations(swapped)) == 3
    home.migrate()
    home.require_sound()
    assert home.rows("m_songs") == [{"id": 1, "a": "of b", "b": "of a"}]
