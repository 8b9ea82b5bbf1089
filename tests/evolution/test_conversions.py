"""What a conversion may not do unasked: make rows unreadable, lose digits, or let duplicates into an index."""

import json

import pytest
from evolutions import Home, text_of
from planted_edits import song
from soulspot_db import MigrationError


def filled(home: Home, field: str, *values: object) -> Home:
    home.generate(song(f"n: {field}"))
    home.migrate()
    for key, value in enumerate(values, 1):
        home.sql(("INSERT INTO m_songs (id, n) VALUES (?, ?)", [key, value]))
    return home


UNCLEAR = [
    ("{type: list, items: string}", "{type: list, items: integer}", "list of string becomes list of integer"),
    ("{type: list, items: integer}", "{type: list, items: float}", "list of integer becomes list of float"),
    ("{type: json}", "{type: list, items: text}", "json becomes list of text"),
    ("{type: text}", "{type: list, items: text}", "text becomes list of text"),
    ("{type: string}", "{type: list, items: text}", "string becomes list of text"),
    ("{type: text}", "{type: json}", "text becomes json"),
    ("{type: string}", "{type: json}", "string becomes json"),
    ("{type: enum, values: ['1', '2']}", "{type: json}", "enum becomes json"),
]


@pytest.mark.parametrize(("before", "after", "said"), UNCLEAR)
def test_what_nobody_can_convert_is_told(home, before, after, said):
    filled(home, before)
    assert f"nobody can say how {said}" in home.complaint(song(f"n: {after}"))


@pytest.mark.parametrize(("before", "after"), [("string", "text"), ("text", "string")])
def test_items_that_are_text_either_way_change_nothing(home, before, after):
    filled(home, f"{{type: list, items: {before}}}", '["jazz"]')
    assert home.operations(song(f"n: {{type: list, items: {after}}}")) == []
    assert f'"items": "{after}"' in text_of(home.root / "migrations/snapshot/m/song.json")


@pytest.mark.parametrize("after", ["json", "text"])
def test_a_list_may_still_become_what_takes_anything(home, after):
    filled(home, "{type: list, items: integer}", "[1,2]")
    home.generate(song(f"n: {{type: {after}}}"))
    home.migrate()
    home.require_sound()
    assert home.rows("m_songs") == [{"id": 1, "n": "[1,2]"}]


def test_the_items_of_a_list_are_recorded_and_no_database_sees_them(home):
    home.generate(song("n: {type: list, items: integer}"))
    recorded = home.root / "migrations/snapshot/m/song.json"
    table = json.loads(text_of(recorded))
    (kind,) = [column["type"] for column in table["columns"] if column["name"] == "n"]
    assert kind == {"name": "list", "items": "integer"}
    assert "integer" not in text_of(home.newest).partition('"n"')[2].partition("\n")[0]
    del kind["items"]  # as it was recorded once
    recorded.write_text(json.dumps(table))
    assert home.operations(song("n: {type: list, items: integer}")) == []
    assert json.loads(text_of(recorded))["columns"][1]["type"]["items"] == "integer"


def test_text_of_few_digits_becomes_a_float_unasked(home):
    texts = ["1.5", "-0.000123456789012345", "1000000000000000000000", "1.25e-7", "123456789.012345", "0", "0.0e5"]
    filled(home, "{type: string}", *texts)
    home.generate(song("n: {type: float}"))
    home.migrate()
    assert [row["n"] for row in home.rows("m_songs")] == [*map(float, texts)]


@pytest.mark.parametrize(
    "text", ["0.1234567890123456", "12345678901234567", "-1.234567890123456E+300", "1e-400", "4.9406564584e-324"]
)
def test_text_that_loses_digits_as_a_float_asks_first(home, text):
    filled(home, "{type: string}", text, "1.5")
    plan = home.generate(song("n: {type: float}"))
    with pytest.raises(
        MigrationError, match=r"the part of n of m_songs that a float cannot hold would be lost, in 1 row"
    ):
        home.migrate()
    home.migrate(allow=[plan.revision.id])
    assert home.rows("m_songs")[0]["n"] == float(text)


def test_text_of_a_number_that_no_float_is_as_large_as_is_refused(home):
    filled(home, "{type: string}", "1e999", "1.5e308")
    home.generate(song("n: {type: float}"))
    with pytest.raises(MigrationError, match=r"1 row of m_songs whose n cannot become a float \(1\)"):
        home.migrate()


DECIMALS = [
    ("12.30", 1230),
    ("-0.05", -5),
    ("0", 0),
    ("-0", 0),
    ("1234567890123456.78", 123456789012345678),
    ("7.5", 750),
]
NO_DECIMALS = ["1.234", "1e2", " 1", "1.", ".5", "+1", "01", "12345678901234567", "nan", "", "1,5", "--1"]


@pytest.fixture(params=["home", "server_home"])
def any_home(request):
    return request.getfixturevalue(request.param)


def test_text_becomes_a_decimal_by_its_digits(any_home):
    any_home.generate(song("n: {type: string}"))
    any_home.migrate()
    for key, (text, _) in enumerate(DECIMALS):
        any_home.insert("m_songs", {"id": key, "n": text})
    any_home.generate(song("n: {type: decimal, precision: 18, scale: 2}"))
    any_home.migrate()
    any_home.require_sound()
    assert sorted(row["n"] for row in any_home.rows("m_songs")) == sorted(stored for _, stored in DECIMALS)


@pytest.mark.parametrize("scale", [0, 2])
def test_text_that_is_no_decimal_of_its_digits_is_told(any_home, scale):
    any_home.generate(song("n: {type: string}"))
    any_home.migrate()
    for key, text in enumerate(NO_DECIMALS, 1):
        any_home.insert("m_songs", {"id": key, "n": text})
    any_home.generate(song(f"n: {{type: decimal, precision: {16 + scale}, scale: {scale}}}"))
    with pytest.raises(
        MigrationError, match=f"there are {len(NO_DECIMALS)} rows of m_songs whose n cannot become a decimal"
    ):
        any_home.migrate()


@pytest.mark.parametrize("after", ["{type: text}", "{type: string}", "{type: enum, values: ['true', 'false']}"])
def test_a_boolean_becomes_any_kind_of_text(any_home, after):
    any_home.generate(song("n: {type: boolean}"))
    any_home.migrate()
    any_home.insert("m_songs", {"id": 1, "n": 1})
    any_home.insert("m_songs", {"id": 2, "n": 0})
    any_home.generate(song(f"n: {after}"))
    any_home.migrate()
    any_home.require_sound()
    assert sorted(row["n"] for row in any_home.rows("m_songs")) == ["false", "true"]


WHERE = "indexes: [{fields: [artist], unique: true, where: {n: %s}}]\n"
MOVED = [
    ("{type: integer, nullable: true}", "{type: integer, backfill: 5}", "5", "NULL", "5"),
    ("{type: string, nullable: true}", "{type: string, backfill: live}", "{ne: null}", "NULL", "'live'"),
    ("{type: float}", "{type: integer}", "{eq: 1}", "1.5", "1"),
]


@pytest.mark.parametrize(("before", "after", "condition", "first", "second"), MOVED)
def test_rows_that_come_into_a_partial_unique_index_are_looked_at(home, before, after, condition, first, second):
    def songs(rules: str) -> dict[str, str]:
        return song("artist: {type: string}", f"n: {rules}", tail=WHERE % condition)

    home.generate(songs(before))
    home.migrate()
    home.sql(f"INSERT INTO m_songs (id, artist, n) VALUES (1, 'Nina', {first}), (2, 'Nina', {second})")
    dump = home.dump()
    plan = home.generate(songs(after))
    with pytest.raises(MigrationError, match=r"2 rows of m_songs with the same artist as another \(1, 2\)"):
        home.migrate(allow=[plan.revision.id])
    assert home.dump() == dump
