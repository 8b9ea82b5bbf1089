"""Archives: what is kept has a table of its own, however often something of that name is buried."""

import re

import pytest
from evolutions import text_of
from planted_edits import entity, song

TITLE = "title: {type: string, nullable: true}"
BURIED = "removed: {title: {data: archive, reason: It is unused.}}\n"


def archives(home):
    return [name for name in home.tables() if name.startswith("archived_")]


def test_a_field_that_comes_back_is_archived_again_beside_what_was_kept_before(home):
    for value in ("first", "second"):
        home.generate(song(TITLE))
        home.migrate()
        home.sql("DELETE FROM m_songs", f"INSERT INTO m_songs (id, title) VALUES (1, '{value}')")
        home.generate(song(tail=BURIED))
        home.migrate()
        home.require_sound()
    assert sorted(home.rows(name)[0]["title"] for name in archives(home)) == ["first", "second"]


def test_archives_whose_names_would_read_the_same_are_kept_apart_within_one_revision(home):
    q, q_b = "table_name: q\n", "table_name: q_b\n"
    home.generate(
        {
            "m/one.yaml": entity("b_c: {type: string}", head=q),
            "m/two.yaml": entity("c: {type: string}", head=q_b),
            "m/three.yaml": entity(head="table_name: q_b_c\n"),
        }
    )
    home.migrate()
    home.sql("INSERT INTO q VALUES (1, 'of q')", "INSERT INTO q_b VALUES (2, 'of q_b')", "INSERT INTO q_b_c VALUES (3)")
    bury = "removed: {%s: {data: archive, reason: It is unused.}}\n"
    home.generate(
        {
            "m/one.yaml": entity(head=q, tail=bury % "b_c"),
            "m/two.yaml": entity(head=q_b, tail=bury % "c"),
            "m/_module.yaml": bury % "three",
        }
    )
    home.migrate()
    home.require_sound()
    kept = [home.rows(name) for name in archives(home)]
    assert sorted(kept, key=str) == [[{"id": 1, "b_c": "of q"}], [{"id": 2, "c": "of q_b"}], [{"id": 3}]]


@pytest.mark.parametrize("length", [10, 63])
def test_the_name_of_an_archive_says_of_what_and_fits_every_database(home, length):
    name = "a" * length
    home.generate(song(f"{name}: {{type: string}}"))
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'x')")
    home.generate(song(tail=f"removed: {{{name}: {{data: archive, reason: It is unused.}}}}\n"))
    home.migrate()
    (found,) = archives(home)
    assert re.fullmatch(rf"{f'archived_m_songs_{name}'[:54]}_[0-9a-f]{{8}}", found)
    assert found in text_of(home.newest)
