"""Titles of revisions: what a person would write as the subject of a commit."""

import subprocess
import sys

import pytest
from planted_edits import entity, song

ENUM = "mood: {type: enum, values: [%s]}"
TEXT = "title: {type: string%s}"
TOMBSTONE = "removed: {title: {data: discard, reason: It is unused.}}\n"
TWO = {"m/song.yaml": entity("title: {type: string}"), "m/album.yaml": entity()}

# Each: the schemas before, the schemas after, and the title.
TITLES = {
    "a new field": (song(), song("genre: {type: string, nullable: true}"), "Add genre to song"),
    "a new field that is made anew": (song(), song("genre: {type: string, backfill: x}"), "Add genre to song"),
    "a new field with an index": (
        song(),
        song("genre: {type: string, nullable: true, unique: true}"),
        "Add genre to song",
    ),
    "three new fields": (
        song(),
        song(*(f"{name}: {{type: string, default: ''}}" for name in "abc")),
        "Add a, b and c to song",
    ),
    "many new fields": (
        song(),
        song(*(f"{name}: {{type: string, default: ''}}" for name in "abcdef")),
        "Add a and 5 more to song",
    ),
    "a field that is gone": (song(TEXT % ""), song(tail=TOMBSTONE), "Drop title of song"),
    "a field renamed": (
        song(TEXT % ", unique: true, max_length: 9"),
        song("name: {type: string, unique: true, max_length: 9, renamed_from: title}"),
        "Rename title of song to name",
    ),
    "two fields swapped": (
        song("a: {type: string}", "b: {type: string}"),
        song("a: {type: string, renamed_from: b}", "b: {type: string, renamed_from: a}"),
        "Swap a and b of song",
    ),
    "three fields in a circle": (
        song(*(f"{name}: {{type: string}}" for name in "abc")),
        song(*(f"{new}: {{type: string, renamed_from: {old}}}" for new, old in ("ab", "bc", "ca"))),
        "Rename b of song to a and 2 more changes",
    ),
    "required": (song(TEXT % ", nullable: true"), song(TEXT % ""), "Make song.title required"),
    "optional": (song(TEXT % ""), song(TEXT % ", nullable: true"), "Make song.title optional"),
    "another type": (song("n: {type: integer}"), song("n: {type: float}"), "Change song.n from integer to float"),
    "more digits": (
        song("n: {type: decimal, precision: 8, scale: 2}"),
        song("n: {type: decimal, precision: 9, scale: 2}"),
        "Change the digits of song.n",
    ),
    "a default": (song(TEXT % ""), song(TEXT % ", default: x"), "Set the default of song.title"),
    "no default": (song(TEXT % ", default: x"), song(TEXT % ""), "Drop the default of song.title"),
    "longer": (song(TEXT % ", max_length: 9"), song(TEXT % ", max_length: 20"), "Widen song.title to 20"),
    "as long as one likes": (song(TEXT % ", max_length: 9"), song(TEXT % ""), "Widen song.title"),
    "shorter": (song(TEXT % ""), song(TEXT % ", max_length: 9"), "Narrow song.title to 9"),
    "renamed and shorter": (
        song(TEXT % ""),
        song("name: {type: string, max_length: 9, renamed_from: title}"),
        "Rename title of song to name and narrow song.name to 9",
    ),
    "more values": (song(ENUM % "sad"), song(ENUM % "sad, glad, mad"), "Add glad and mad to song.mood"),
    "fewer values": (song(ENUM % "sad, glad"), song(ENUM % "sad"), "Take glad out of song.mood"),
    "other values": (song(ENUM % "sad, glad"), song(ENUM % "sad, mad"), "Change the values of song.mood"),
    "values in another order": (song(ENUM % "sad, glad"), song(ENUM % "glad, sad"), "Change the values of song.mood"),
    "an enum that was text": (song("mood: {type: text}"), song(ENUM % "sad"), "Change song.mood from text to enum"),
    "text that was an enum": (song(ENUM % "sad"), song("mood: {type: text}"), "Change song.mood from enum to text"),
    "an index": (song(TEXT % ""), song(TEXT % ", index: true"), "Add index title to song"),
    "no index": (song(TEXT % ", index: true"), song(TEXT % ""), "Drop index title of song"),
    "unique": (song(TEXT % ""), song(TEXT % ", unique: true"), "Add unique index title to song"),
    "an index that becomes unique": (
        song(TEXT % ", index: true"),
        song(TEXT % ", unique: true"),
        "Add unique index title to song and drop index title of song",
    ),
    "a check": (
        song("n: {type: integer}"),
        song("n: {type: integer}", tail="checks: {sane: {n: {gte: 1}}}\n"),
        "Add check sane to song",
    ),
    "another check": (
        song("n: {type: integer}", tail="checks: {sane: {n: {gte: 1}}}\n"),
        song("n: {type: integer}", tail="checks: {sane: {n: {gte: 2}}}\n"),
        "Change check sane of song",
    ),
    "a reference": (
        {**TWO, "m/play.yaml": entity("song: {type: integer}")},
        {**TWO, "m/play.yaml": entity("song: {type: integer, references: m.song}")},
        "Add reference song to play",
    ),
    "another reference": (
        {**TWO, "m/play.yaml": entity("song: {type: integer, references: m.song}")},
        {**TWO, "m/play.yaml": entity("song: {type: integer, references: m.album}")},
        "Change reference song of play",
    ),
    "another key": (
        {"m/song.yaml": "fields: {id: {type: integer, primary_key: true}, n: {type: integer}}\n"},
        {"m/song.yaml": "fields: {id: {type: integer}, n: {type: integer, primary_key: true}}\n"},
        "Change the primary key of song",
    ),
    "a new entity": (song(), {**song(), "m/album.yaml": entity("n: {type: integer, index: true}")}, "Create album"),
    "a new entity and what refers to it": (
        song(),
        {**song("album: {type: integer, nullable: true, references: m.album}"), "m/album.yaml": entity()},
        "Create album and add album to song",
    ),
    "many new entities": (
        song(),
        {**song(), **{f"m/{name}.yaml": entity() for name in ("album", "artist", "label", "mood")}},
        "Create album and 3 more",
    ),
    "an entity that is gone": (
        TWO,
        {"m/song.yaml": TWO["m/song.yaml"], "m/_module.yaml": TOMBSTONE.replace("title", "album")},
        "Drop album",
    ),
    "an entity renamed": (
        {**song(TEXT % ", unique: true"), "m/play.yaml": entity("song: {type: integer, references: m.song}")},
        {
            "m/piece.yaml": entity(TEXT % ", unique: true", head="renamed_from: song\n"),
            "m/play.yaml": entity("song: {type: integer, references: m.piece}"),
        },
        "Rename song to piece",
    ),
    "two entities swapped": (
        {"m/song.yaml": entity(), "m/tune.yaml": entity()},
        {"m/song.yaml": entity(head="renamed_from: tune\n"), "m/tune.yaml": entity(head="renamed_from: song\n")},
        "Swap song and tune",
    ),
    "a table renamed": (song(), song(head="table_name: tunes\n"), "Rename table m_songs to tunes"),
    "much": (
        song(TEXT % "", "n: {type: integer}"),
        song("genre: {type: string, default: ''}", "n: {type: float, nullable: true}", tail=TOMBSTONE),
        "Add genre to song and 3 more changes",
    ),
}


@pytest.mark.parametrize("name", TITLES)
def test_a_title_says_what_was_done_to_which_entity(home, name):
    before, after, title = TITLES[name]
    home.generate(before)
    revision = home.generate(after).revision
    assert revision.title == title
    assert f'"""{title}."""' in home.newest.read_text("utf-8")


def test_a_title_that_is_longer_than_a_line_ends_where_the_line_does(home):
    home.generate(song(*(f"{name * 63}: {{type: string}}" for name in "ab")))
    swapped = [f"{new * 63}: {{type: string, renamed_from: {old * 63}}}" for new, old in ("ab", "ba")]
    assert home.generate(song(*swapped)).revision.title == f"Swap {'a' * 63} and ..."
    assert f'"""Swap {"a" * 63} and ..."""\n' in home.newest.read_text("utf-8")


def test_a_revision_is_laid_out_also_where_it_has_a_lot_to_say(home):
    long = "a_field_whose_name_takes_a_lot_of_room_in_a_line"
    names = [f"{kind}_with_a_name_that_is_rather_long" for kind in ("album", "song")]
    home.generate({f"m/{name}.yaml": entity() for name in names})
    home.generate({f"m/{name}.yaml": entity(f"{long}: {{type: string, nullable: true}}") for name in names})
    command = [sys.executable, "-m", "ruff", "format", "--no-cache", "--diff", "--line-length=120", str(home.newest)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
