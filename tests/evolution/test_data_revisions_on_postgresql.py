"""Data revisions on a PostgreSQL server, where rows have the types of their columns."""

import pytest

KEY = "id: {type: integer, primary_key: true}"
VALUES = {
    "uuid": "0190b2d4-0000-7000-8000-000000000001",
    "text": "it's: 5%",
    "integer": 2**62,
    "float": 0.1,
    "boolean": 1,
    "date": "2026-01-02",
    "time": "12:00:00.500000",
    "datetime": "2026-01-02 12:00:00.000001",
    "json": '{"a":[1,"x"]}',
    "bytes": b"\x00\xff",
}


@pytest.mark.parametrize("kind", VALUES)
def test_the_example_in_a_new_data_revision_runs_and_changes_nothing(server_home, kind):
    server_home.generate(
        {"m/song.yaml": f"fields: {{id: {{type: {kind}}}, n: {{type: {kind}}}, {KEY.replace('id', 'k')}}}"}
    )
    server_home.migrate()
    server_home.insert("m_songs", {"k": 1, "id": VALUES[kind], "n": VALUES[kind]})
    assert server_home.data_revision("keep").code == 0
    server_home.migrate()
    server_home.require_sound()
    assert server_home.rows("m_songs") == [{"id": VALUES[kind], "n": VALUES[kind], "k": 1}]
