"""A run that stopped between a revision and the snapshot it leads to, told apart from one that was done."""

import pytest
from evolutions import text_of
from projects import tree
from soulspot_db_codegen.writer import apply

ID = "fields:\n  id: {type: integer, primary_key: true}\n"
PLAIN = f"{ID}  a: {{type: string}}\n  b: {{type: string}}\n"
SWAPPED = f"{ID}  a: {{type: string, renamed_from: b}}\n  b: {{type: string, renamed_from: a}}\n"
SONG, TUNE = "m/song.yaml", "m/tune.yaml"
MARK = "migrations/.unfinished"


def stop_at(home, snapshot, schemas):
    """Generate until the snapshot of one entity, where the disk says no."""
    home.write(schemas)
    obstacle = home.migrations / "snapshot" / "m" / f".{snapshot}.json.unfinished"
    obstacle.mkdir()
    with pytest.raises(OSError, match=snapshot):
        apply(home.root, home.plan().changes)
    obstacle.rmdir()


def test_a_second_swap_in_the_same_words_is_another_revision(home):
    home.generate({SONG: PLAIN})
    home.migrate()
    home.sql("INSERT INTO m_songs (id, a, b) VALUES (1, 'of a', 'of b')")
    for number, row in ((2, ("of b", "of a")), (3, ("of a", "of b"))):
        assert home.operations({SONG: SWAPPED}) != []
        assert home.operations({SONG: PLAIN}) == []
        assert len(home.versions) == number
        home.migrate()
        home.require_sound()
        assert home.sql("SELECT a, b FROM m_songs") == [row]


def test_a_swap_that_was_stopped_is_finished_and_not_made_twice(home):
    home.generate({SONG: PLAIN})
    stop_at(home, "song", {SONG: SWAPPED})
    stopped = home.versions
    assert home.command("--check").code == 1
    assert home.command().code == 0
    assert home.versions == stopped
    assert not (home.root / MARK).exists()
    assert home.command("--check").code == 0


def test_a_swap_in_two_tables_that_was_stopped_between_them_is_finished(home):
    home.generate({SONG: PLAIN, TUNE: PLAIN})
    stop_at(home, "tune", {SONG: SWAPPED, TUNE: SWAPPED})
    stopped = home.versions
    assert (
        '"columns": {' in text_of(home.migrations / "snapshot" / SONG.replace("yaml", "json")).partition("applied")[2]
    )
    assert home.command().code == 0
    assert home.versions == stopped


def test_a_swap_that_was_stopped_is_not_made_again_with_the_next_edit(home):
    home.generate({SONG: PLAIN})
    stop_at(home, "song", {SONG: SWAPPED})
    stopped = home.versions
    more = f"{SWAPPED}  c: {{type: text, nullable: true}}\n"
    said = home.complaint({SONG: more})
    assert "migrations/snapshot is not what revision" in said
    assert "run `soulspot-db generate` with the schemas as they were" in said
    assert home.operations({SONG: SWAPPED}) == []
    assert home.operations({SONG: more}) == ["add column c to m_songs"]
    assert len(home.versions) == len(stopped) + 1


def test_a_run_that_is_done_leaves_no_mark(home):
    home.generate({SONG: PLAIN})
    home.generate({SONG: SWAPPED})
    assert [name for name in tree(home.root) if "unfinished" in name] == []
