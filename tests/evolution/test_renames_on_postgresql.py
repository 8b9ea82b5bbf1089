"""Entities that take each other's names on a PostgreSQL server, where the index of a primary key has a name, too."""

import pytest

FIELDS = (
    "fields: {{id: {{type: integer, primary_key: true}}, name: {{type: string, max_length: 50, index: true}}{more}}}\n"
)


def entity(former: str = "", more: str = "") -> str:
    return (f"renamed_from: {former}\n" if former else "") + FIELDS.format(more=f", {more}" if more else "")


def begin(home, names):
    home.generate({f"m/{name}.yaml": entity() for name in names})
    home.migrate()
    for name in names:
        home.insert(f"m_{name}s", {"id": 1, "name": f"of {name}"})


def require_names(home, names):
    home.require_sound()
    assert {name: home.rows(f"m_{name}s")[0]["name"] for name in names} == names
    keys = home.sql("SELECT conrelid::regclass::text, conname::text FROM pg_constraint WHERE contype = 'p' ORDER BY 1")
    assert [key for key in keys if key[0].startswith("m_")] == [
        (f"m_{name}s", f"pk_m_{name}s") for name in sorted(names)
    ]


@pytest.mark.parametrize(
    "moves",
    [{"a": "b", "b": "a"}, {"b": "a", "c": "b"}, {"b": "a", "c": "b", "a": "c"}],
    ids=["swap", "chain", "circle"],
)
def test_entities_may_take_names_that_others_had(server_home, moves):
    begin(server_home, sorted({*moves.values()}))
    server_home.generate({f"m/{new}.yaml": entity(old) for new, old in moves.items()})
    server_home.migrate()
    require_names(server_home, {new: f"of {old}" for new, old in moves.items()})


def test_a_new_entity_may_take_the_name_that_another_has_left(server_home):
    begin(server_home, ["a"])
    server_home.generate({"m/b.yaml": entity("a")})
    server_home.generate({"m/b.yaml": entity(), "m/a.yaml": entity()})
    server_home.migrate()
    server_home.insert("m_as", {"id": 1, "name": "new"})
    require_names(server_home, {"a": "new", "b": "of a"})


def test_a_key_that_changes_may_have_the_name_that_a_key_made_by_hand_has_in_another_table(server_home):
    server_home.generate({"m/a.yaml": entity()})
    server_home.migrate()
    server_home.sql("ALTER TABLE m_as RENAME CONSTRAINT pk_m_as TO mine")
    server_home.generate({"m/b.yaml": entity("a")})
    server_home.migrate()
    server_home.require_sound()


def test_a_table_may_be_called_as_words_in_a_condition_say(server_home):
    server_home.generate({"m/post.yaml": entity(more="source: {type: enum, values: [web, 'from mail', other]}")})
    server_home.migrate()
    server_home.insert("m_posts", {"id": 1, "name": "a", "source": "web"})
    server_home.generate(
        {
            "m/post.yaml": entity(
                more="source: {type: enum, values: [web, 'from mail']}, note: {type: string, nullable: true}"
            )
            + 'checks: {note: {note: {ne: "taken from somebody"}}}\n'
        }
    )
    server_home.migrate()
    server_home.require_sound()
