"""What a type becomes that changes on a PostgreSQL server, and what hangs on its column."""

import json

import pytest
import sqlalchemy as sa
from evolutions import text_of
from soulspot_db import MigrationError

KEY = "id: {type: integer, primary_key: true}"


def song(*fields: str) -> dict[str, str]:
    return {"m/song.yaml": f"fields: {{{', '.join([KEY, *fields])}}}"}


BACKFILLS = [
    ("uuid", "0190b2d4-0000-7000-8000-000000000001", "0190b2d4-0000-7000-8000-000000000001"),
    ("boolean", True, 1),
    ("date", "2026-01-02", "2026-01-02"),
    ("datetime", "2026-01-02T12:00:00+02:00", "2026-01-02 10:00:00.000000"),
    ("time", "12:30:00", "12:30:00.000000"),
    ("json", {"a": [1]}, '{"a":[1]}'),
    ("float", 1.5, 1.5),
    ("text", "it's: 5%", "it's: 5%"),
]


@pytest.mark.parametrize(("kind", "backfill", "stored"), BACKFILLS)
def test_rows_that_exist_get_what_the_schema_says(server_home, kind, backfill, stored):
    server_home.generate(song())
    server_home.migrate()
    server_home.insert("m_songs", {"id": 1})
    server_home.generate(song(f"n: {{type: {kind}, backfill: {json.dumps(backfill)}}}"))
    server_home.migrate()
    server_home.require_sound()
    assert server_home.rows("m_songs") == [{"id": 1, "n": stored}]


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        ("{type: text}", "{type: date}", "2026-02-29"),
        ("{type: text}", "{type: datetime}", "2026-01-02 24:00:00.000000"),
        ("{type: text}", "{type: uuid}", "0190B2D4-0000-7000-8000-000000000001"),
        ("{type: text}", "{type: integer}", "9223372036854775808"),
        ("{type: text}", "{type: float}", "1e999"),
        ("{type: text}", "{type: float}", "NaN"),
        ("{type: integer}", "{type: boolean}", 2),
        ("{type: integer}", "{type: decimal, precision: 4, scale: 2}", 100),
        ("{type: float}", "{type: decimal, precision: 4, scale: 2}", 99.995),
    ],
)
def test_a_value_that_has_no_counterpart_is_told_by_its_key(server_home, before, after, value):
    server_home.generate(song(f"n: {before}"))
    server_home.migrate()
    server_home.insert("m_songs", {"id": 7, "n": value})
    plan = server_home.generate(song(f"n: {after}"))
    with pytest.raises(MigrationError, match=r"there is 1 row of m_songs whose n .* \(7\)"):
        server_home.migrate(allow=[plan.revision.id])
    assert server_home.rows("m_songs") == [{"id": 7, "n": value}]


@pytest.mark.parametrize("text", ["0.1234567890123456", "12345678901234567", "4.9406564584e-324"])
def test_text_that_loses_digits_as_a_float_asks_first(server_home, text):
    server_home.generate(song("n: {type: text}"))
    server_home.migrate()
    server_home.insert("m_songs", {"id": 1, "n": text})
    plan = server_home.generate(song("n: {type: float}"))
    with pytest.raises(
        MigrationError, match="the part of n of m_songs that a float cannot hold would be lost, in 1 row"
    ):
        server_home.migrate()
    server_home.migrate(allow=[plan.revision.id])
    assert server_home.rows("m_songs") == [{"id": 1, "n": float(text)}]


def test_a_revision_says_for_which_database_a_look_is_meant_only_where_they_differ(server_home):
    server_home.generate(song("n: {type: text, nullable: true}"))
    server_home.generate(song("n: {type: text}"))
    assert "dialect=" not in text_of(server_home.newest)
    server_home.generate(song("n: {type: integer}"))
    assert 'dialect="sqlite"' in text_of(server_home.newest)
    assert 'dialect="postgresql"' in text_of(server_home.newest)


CONVERSIONS = [
    ("{type: float}", "{type: integer}", -1.75, -1),
    ("{type: float}", "{type: decimal, precision: 6, scale: 1}", -2.25, -23),
    ("{type: float}", "{type: decimal, precision: 18, scale: 17}", 0.1, 10**16),
    ("{type: decimal, precision: 6, scale: 3}", "{type: decimal, precision: 6, scale: 1}", -1999, -19),
    ("{type: decimal, precision: 6, scale: 3}", "{type: float}", 1999, 1.999),
    ("{type: datetime}", "{type: date}", "1969-12-31 23:59:59.999999", "1969-12-31"),
    ("{type: date}", "{type: datetime}", "0001-01-01", "0001-01-01 00:00:00.000000"),
    ("{type: datetime}", "{type: text}", "2026-01-02 12:00:00.000001", "2026-01-02 12:00:00.000001"),
    ("{type: text}", "{type: date}", "2024-02-29", "2024-02-29"),
    ("{type: text}", "{type: integer}", "-9223372036854775808", -(2**63)),
    ("{type: boolean}", "{type: string}", 1, "true"),
]


@pytest.mark.parametrize(("before", "after", "value", "found"), CONVERSIONS)
def test_a_value_becomes_what_it_becomes_on_sqlite(server_home, before, after, value, found):
    server_home.generate(song(f"n: {before}"))
    server_home.migrate()
    server_home.insert("m_songs", {"id": 1, "n": value})
    plan = server_home.generate(song(f"n: {after}"))
    server_home.migrate(allow=[plan.revision.id])
    server_home.require_sound()
    assert server_home.rows("m_songs") == [{"id": 1, "n": found}]


def test_a_value_that_cannot_be_converted_is_told_where_the_new_column_is_looked_at_too(server_home):
    server_home.generate(song("n: {type: text}"))
    server_home.migrate()
    server_home.insert("m_songs", {"id": 7, "n": "secret"})
    server_home.generate(song("n: {type: integer, unique: true}"))
    with pytest.raises(MigrationError, match=r"there is 1 row of m_songs whose n cannot become an integer \(7\)"):
        server_home.migrate()


@pytest.mark.parametrize(("parent", "child"), [("album", "song"), ("song", "album")])
def test_a_key_and_what_refers_to_it_become_another_type_together(server_home, parent, child):
    def schemas(kind: str) -> dict[str, str]:
        refers = f"to: {{type: {kind}, references: m.{parent}, on_delete: cascade}}"
        return {
            f"m/{parent}.yaml": f"fields: {{id: {{type: {kind}, primary_key: true}}}}",
            f"m/{child}.yaml": f"fields: {{{KEY}, {refers}}}",
        }

    server_home.generate(schemas("string"))
    server_home.migrate()
    server_home.insert(f"m_{parent}s", {"id": "0190b2d4-0000-7000-8000-000000000001"})
    server_home.insert(f"m_{child}s", {"id": 1, "to": "0190b2d4-0000-7000-8000-000000000001"})
    server_home.generate(schemas("uuid"))
    server_home.migrate()
    server_home.require_sound()
    server_home.sql(f"DELETE FROM m_{parent}s")
    assert server_home.rows(f"m_{child}s") == []


def test_an_index_made_by_hand_that_fits_the_old_type_alone_is_left_out(server_home):
    server_home.generate(song("n: {type: text}"))
    server_home.migrate()
    server_home.insert("m_songs", {"id": 1, "n": "5"})
    server_home.sql("CREATE INDEX by_hand ON m_songs (id) WHERE n = '5'")
    server_home.generate(song("n: {type: integer}"))
    server_home.migrate()
    server_home.require_sound()
    assert server_home.rows("m_songs") == [{"id": 1, "n": 5}]


def test_constraints_of_a_table_that_is_renamed_get_new_names_and_no_row_is_looked_at_again(server_home):
    fields = f"fields: {{{KEY}, n: {{type: string, max_length: 9}}, to: {{type: integer, references: m.%s, nullable: true}}}}"
    server_home.generate({"m/song.yaml": fields % "song"})
    server_home.migrate()
    server_home.insert("m_songs", {"id": 1, "n": "a", "to": None})
    server_home.generate({"m/tune.yaml": "renamed_from: song\n" + fields % "tune"})
    statements = []

    def note(_connection, _cursor, statement, *_rest):
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        server_home.migrate()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    server_home.require_sound()
    assert len([line for line in statements if "RENAME CONSTRAINT" in line]) == 3
    assert [line for line in statements if "VALIDATE" in line] == []


def test_a_reference_that_is_filled_with_what_nothing_is_called_changes_nothing(server_home):
    def schemas(kind: str, reference: str) -> dict[str, str]:
        return {
            "m/studio.yaml": f"fields: {{id: {{type: {kind}, primary_key: true}}}}",
            "m/song.yaml": f"fields: {{{KEY}, studio_id: {{type: {kind}, references: m.studio, {reference}}}}}",
        }

    server_home.generate(schemas("integer", "nullable: true"))
    server_home.migrate()
    server_home.insert("m_studios", {"id": 5})
    server_home.insert("m_songs", {"id": 1, "studio_id": 5})
    server_home.insert("m_songs", {"id": 2, "studio_id": None})
    before = server_home.dump()
    server_home.generate(schemas("string", "backfill: nobody"))
    with pytest.raises(MigrationError, match="Nothing was changed"):
        server_home.migrate()
    assert server_home.dump() == before
