"""Another primary key: what referred to the old one is not taken for the new one, and an archive says which row it is of."""

import re

import pytest
from evolutions import text_of
from planted_edits import entity, song
from soulspot_db import MigrationError

BOX = "fields:\n  id: {type: integer, primary_key: true}\n  number: {type: integer, unique: true}\n  label: {type: string}\n"
BURIED = "removed: {id: {data: %s, reason: The number is the key.}}\n"
NUMBERED = "fields:\n  number: {type: integer, primary_key: true}\n  label: {type: string}\n" + BURIED
THING = entity("box_id: {type: integer, references: m.box}")
ROWS = (
    "INSERT INTO m_boxes (id, number, label) VALUES (1, 3, 'one'), (2, 2, 'two'), (3, 1, 'three')",
    "INSERT INTO m_things (id, box_id) VALUES (1, 1), (2, 2), (3, 3)",
)

# Three edits that lead there, as docs/migrations.md says it.
BESIDE = entity("box_id: {type: integer, references: m.box}", "box_number: {type: integer, nullable: true}")
FOLLOWED = [
    entity(field, tail="removed: {box_id: {data: archive, reason: It is box_number now.}}\n")
    for field in (
        "box_number: {type: integer, references: m.box}",
        "box_id: {type: integer, column: box_number, nullable: true, references: m.box}",
    )
]
FILL = """\
def upgrade() -> None:
    boxes = sa.table("m_boxes", sa.column("id"), sa.column("number"))
    things = sa.table("m_things", sa.column("id"), sa.column("box_id"), sa.column("box_number"))
    number = sa.select(boxes.c.number).where(boxes.c.id == things.c.box_id).scalar_subquery()
    for batch in steps.batches(things, key="id"):
        for row in batch:
            op.execute(things.update().where(things.c.id == row.id).values(box_number=number))
"""


def filled(home):
    home.generate({"m/box.yaml": BOX, "m/thing.yaml": THING})
    home.migrate()
    home.sql(*ROWS)
    return home


def write_the_revision(home, upgrade):
    home.data_revision("fill_box_number", written=False)
    before, _, after = text_of(home.newest).partition("def upgrade")
    home.newest.write_text(f"{before}{upgrade}\n\ndef downgrade{after.partition('def downgrade')[2]}", "utf-8")


def by_key(home, table, key="id"):
    return sorted(home.rows(table), key=lambda row: row[key])


def follow_the_recipe(home, followed):
    filled(home)
    home.generate({"m/box.yaml": BOX, "m/thing.yaml": BESIDE})
    write_the_revision(home, FILL)
    home.generate({"m/box.yaml": BOX, "m/thing.yaml": BESIDE})
    home.generate({"m/box.yaml": NUMBERED % "archive", "m/thing.yaml": followed})
    home.migrate()
    home.require_sound()
    assert by_key(home, "m_things") == [
        {"id": 1, "box_number": 3},
        {"id": 2, "box_number": 2},
        {"id": 3, "box_number": 1},
    ]
    assert by_key(home, home.table("archived_m_boxes_id_*")) == [
        {"id": 1, "number": 3},
        {"id": 2, "number": 2},
        {"id": 3, "number": 1},
    ]


def test_a_field_that_refers_to_the_old_key_is_refused_at_its_line(home):
    home.generate({"m/box.yaml": BOX, "m/thing.yaml": THING})
    said = home.complaint({"m/box.yaml": NUMBERED % "archive", "m/thing.yaml": THING})
    assert said.startswith(
        "schemas/m/thing.yaml:3:11: 'box_id' holds values of 'id', and the key of 'm_boxes' is 'number' now\n"
    )
    assert "a data revision" in said


@pytest.mark.parametrize("followed", FOLLOWED)
def test_the_way_to_another_key_that_is_referred_to_leads_each_row_to_the_row_it_had(home, followed):
    follow_the_recipe(home, followed)


@pytest.mark.parametrize("followed", FOLLOWED)
def test_the_way_to_another_key_leads_there_on_a_server_too(server_home, followed):
    follow_the_recipe(server_home, followed)


def test_a_key_that_is_another_column_under_the_same_name_is_refused_too(home):
    home.generate({"m/box.yaml": BOX, "m/thing.yaml": THING})
    swapped = (
        "fields:\n  id: {type: integer, primary_key: true, renamed_from: number}\n"
        "  number: {type: integer, unique: true, renamed_from: id}\n  label: {type: string}\n"
    )
    said = home.complaint({"m/box.yaml": swapped, "m/thing.yaml": THING})
    assert "'box_id' holds values of 'number', and the key of 'm_boxes' is 'id' now" in said


def test_a_key_that_only_has_another_name_takes_its_references_along(home):
    filled(home)
    renamed = BOX.replace("  id: {", "  code: {renamed_from: id, ")
    home.generate({"m/box.yaml": renamed, "m/thing.yaml": THING})
    home.migrate()
    home.require_sound()
    assert [row["box_id"] for row in by_key(home, "m_things")] == [1, 2, 3]


def test_a_key_that_only_has_another_type_takes_its_references_along(home):
    filled(home)
    texts = [text.replace("id: {type: integer", "id: {type: string") for text in (BOX, THING)]
    home.generate({"m/box.yaml": texts[0], "m/thing.yaml": texts[1]})
    home.migrate()
    home.require_sound()
    assert sorted(row["box_id"] for row in home.rows("m_things")) == ["1", "2", "3"]


def test_an_archived_key_has_the_new_key_of_its_row_beside_it(home):
    home.generate({"m/box.yaml": BOX})
    home.migrate()
    home.sql(ROWS[0])
    home.generate({"m/box.yaml": NUMBERED % "archive"})
    home.migrate()
    home.require_sound()
    assert by_key(home, home.table("archived_m_boxes_id_*"))[0] == {"id": 1, "number": 3}


def test_an_archived_field_has_the_key_that_its_row_goes_by_afterwards(home):
    home.generate({"m/box.yaml": BOX})
    home.migrate()
    home.sql(ROWS[0])
    fields = "fields: {number: {type: integer, primary_key: true}}\n"
    tail = "removed: {id: {data: discard, reason: No.}, label: {data: archive, reason: No.}}\n"
    plan = home.generate({"m/box.yaml": fields + tail})
    with pytest.raises(MigrationError, match="the values of id of m_boxes would be lost"):
        home.migrate()
    home.migrate(allow=[plan.revision.id])
    assert by_key(home, home.table("archived_m_boxes_label_*"))[0] == {"id": 1, "number": 3, "label": "one"}


def test_an_archive_of_which_nobody_could_say_whose_values_it_has_is_refused(home):
    home.generate({"m/box.yaml": BOX})
    fresh = "fields:\n  code: {type: uuid, primary_key: true, backfill: uuid4}\n  label: {type: string}\n"
    buried = "removed:\n  id: {data: archive, reason: No.}\n  number: {data: discard, reason: No.}\n"
    said = home.complaint({"m/box.yaml": fresh + buried})
    assert "nothing would say to which rows the archived 'id' of 'm_boxes' belongs" in said
    assert "first add the new key as a field" in said


# A reference that comes together with the key's new type.

CONVERTED = [
    ("integer", "string", 1),
    ("string", "integer", "1"),
    ("decimal, precision: 8, scale: 1", "decimal, precision: 8, scale: 2", 10),
]


@pytest.mark.parametrize(("before", "after", "key"), CONVERTED)
def test_a_new_reference_is_compared_with_the_key_as_it_will_be(home, before, after, key):
    refer_to_what_is_converted(home, before, after, key)


@pytest.mark.parametrize(("before", "after", "key"), CONVERTED)
def test_a_new_reference_is_compared_with_the_key_as_it_will_be_on_a_server(server_home, before, after, key):
    refer_to_what_is_converted(server_home, before, after, key)


def refer_to_what_is_converted(home, before, after, key):
    box = "fields: {id: {type: %s, primary_key: true}}\n"
    home.generate({"m/box.yaml": box % before, **song(f"box: {{type: {before}}}")})
    home.migrate()
    home.insert("m_boxes", {"id": key})
    home.insert("m_songs", {"id": 7, "box": key})
    home.insert("m_songs", {"id": 8, "box": type(key)(int(key) + 1)})
    home.generate({"m/box.yaml": box % after, **song(f"box: {{type: {after}, references: m.box}}")})
    with pytest.raises(MigrationError, match=r"there is 1 row of m_songs whose box refers to nothing in m_boxes \(8\)"):
        home.migrate()
    home.sql("DELETE FROM m_songs WHERE id = 8")
    home.migrate()
    home.require_sound()


def test_a_backfill_of_a_reference_must_refer_to_something(home):
    home.generate({"m/box.yaml": entity(), **song("box: {type: integer, nullable: true, references: m.box}")})
    home.migrate()
    home.sql("INSERT INTO m_songs (id) VALUES (7)")
    home.generate({"m/box.yaml": entity(), **song("box: {type: integer, backfill: 5, references: m.box}")})
    with pytest.raises(MigrationError, match=r"there is 1 row of m_songs whose box refers to nothing in m_boxes \(7\)"):
        home.migrate()


def test_a_reference_to_a_new_entity_in_the_table_of_one_that_is_gone_is_looked_at(home):
    home.generate({"m/box.yaml": entity(), **song("box: {type: integer, references: m.box}")})
    home.migrate()
    home.sql("INSERT INTO m_boxes VALUES (1)", "INSERT INTO m_songs VALUES (7, 1)")
    buried = "removed: {box: {data: archive, reason: No.}}\n"
    crate = {"m/_module.yaml": buried, "m/crate.yaml": entity(head="table_name: m_boxes\n")}
    home.generate({**crate, **song("box: {type: integer, references: m.crate}")})
    with pytest.raises(MigrationError, match=r"there is 1 row of m_songs whose box refers to nothing in m_boxes \(7\)"):
        home.migrate()


def test_keys_that_a_conversion_makes_equal_are_told_before_anything_changes(home):
    make_keys_equal(home, "150, 160", "(150), (160), (200)")


def test_keys_that_a_conversion_makes_equal_are_told_before_anything_changes_on_a_server(server_home):
    make_keys_equal(server_home, "1.50, 1.60", "(1.5), (1.6), (2)")


def make_keys_equal(home, equal, stored):
    key = "fields: {id: {type: decimal, precision: 8, scale: %d, primary_key: true}}\n"
    home.generate({"m/song.yaml": key % 2})
    home.migrate()
    home.sql(f"INSERT INTO m_songs VALUES {stored}")
    plan = home.generate({"m/song.yaml": key % 0})
    told = f"there are 2 rows of m_songs with the same new primary key as another ({equal})"
    with pytest.raises(MigrationError, match=re.escape(told)):
        home.migrate(allow=[plan.revision.id])


@pytest.mark.parametrize("length", [60, 61, 63])
def test_a_table_with_the_longest_name_is_made_and_made_anew_on_a_server(server_home, length):
    name = "t" * length
    head = f"table_name: {name}\n"
    server_home.generate({"m/song.yaml": entity("n: {type: integer}", head=head)})
    server_home.migrate()
    server_home.insert(name, {"id": 1, "n": 2})
    server_home.generate({"m/song.yaml": entity("n: {type: string}", head=head)})
    server_home.migrate()
    server_home.require_sound()
    assert server_home.rows(name) == [{"id": 1, "n": "2"}]


def test_a_reference_that_stays_as_it_is_is_not_looked_at(home):
    schemas = {"m/box.yaml": entity(), **song("box: {type: integer, references: m.box}", "n: {type: integer}")}
    home.generate(schemas)
    home.generate({**schemas, **song("box: {type: integer, references: m.box}", "n: {type: string}")})
    assert "refers to nothing" not in text_of(home.newest)
