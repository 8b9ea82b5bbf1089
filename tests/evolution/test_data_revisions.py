"""Data revisions: what is not written yet is refused, and what git has is put right in another way than by an edit."""

import pytest
from evolutions import text_of
from soulspot_db import MigrationError

SONG, ALBUM = "music/song.yaml", "music/album.yaml"
ID = "fields:\n  id: {type: uuid, primary_key: true}\n"
WITH_YEAR = f"{ID}  year: {{type: integer, nullable: true}}\n"
MARK = "    raise NotImplementedError"


@pytest.fixture
def unwritten(repository):
    """A data revision as `new revision` leaves it; its path."""
    repository.generate({SONG: WITH_YEAR, ALBUM: ID})
    repository.commit()
    assert repository.data_revision("fill_years", written=False).code == 0
    return repository.newest


def at_the_mark(path):
    line = text_of(path).splitlines().index(next(line for line in text_of(path).splitlines() if MARK in line)) + 1
    return f"migrations/versions/{path.name}:{line}:5: this data revision is not written yet"


@pytest.mark.parametrize("options", [[], ["--check"], ["--amend"]])
def test_one_that_is_not_written_yet_is_refused_at_its_line(repository, unwritten, options):
    outcome = repository.command(*options)
    assert outcome.code == 1
    assert at_the_mark(unwritten) in outcome.err
    assert "say what becomes of the rows" in outcome.err


def test_one_that_is_not_written_yet_fails_where_there_are_no_rows_too(repository, unwritten):
    with pytest.raises(MigrationError, match="NotImplementedError"):
        repository.migrate()


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ("id: {type: integer, primary_key: true}, year: {type: integer}", (1, 1958)),
        ("id: {type: integer, primary_key: true}", (1,)),
        ("id: {type: integer, primary_key: true}, count: {type: integer}", (1, 2)),
        ("id: {type: integer, primary_key: true}, kind: {column: class, type: integer}", (1, 2)),
    ],
)
def test_the_example_in_a_new_one_runs_and_changes_nothing(home, fields, row):
    home.generate({SONG: f"fields: {{{fields}}}"})
    home.migrate()
    home.sql((f"INSERT INTO music_songs VALUES ({', '.join('?' * len(row))})", row))
    assert home.data_revision("fill_years").code == 0
    home.migrate()
    home.require_sound()
    assert home.sql("SELECT * FROM music_songs") == [row]


def test_one_that_is_not_python_is_refused_at_its_line(repository, unwritten):
    unwritten.write_text(text_of(unwritten).replace("def downgrade() -> None:", "def downgrade() -> None"))
    line = text_of(unwritten).splitlines().index("def downgrade() -> None") + 1
    outcome = repository.command()
    assert outcome.code == 1
    assert f"migrations/versions/{unwritten.name}:{line}:24: this is not Python: expected ':'" in outcome.err


def test_one_that_was_committed_before_it_was_written_may_still_be_written(repository, unwritten):
    """It fails everywhere, so nobody can have applied it."""
    repository.commit()
    assert at_the_mark(unwritten) in repository.command("--check").err
    unwritten.write_text("".join(line for line in text_of(unwritten).splitlines(keepends=True) if MARK not in line))
    outcome = repository.command()
    assert outcome.code == 0, outcome.err
    assert repository.command("--check").code == 0


@pytest.fixture
def published(repository):
    """A data revision that is committed and then edited; its path."""
    repository.generate({SONG: WITH_YEAR, ALBUM: ID})
    repository.data_revision("fill_years")
    repository.commit()
    path = repository.newest
    path.write_text(text_of(path) + "# edited\n")
    return path


@pytest.mark.parametrize("options", [[], ["--check"], ["--amend"]])
def test_an_edited_one_that_git_has_is_refused_with_both_ways_out(repository, published, options):
    before = repository.versions
    outcome = repository.command(*options)
    assert (outcome.code, repository.versions) == (1, before)
    assert f"versions/{published.name} is not what was recorded" in outcome.err
    assert "soulspot-db new revision --data NAME" in outcome.err
    assert "git reset --soft HEAD~1" in outcome.err


def test_undoing_the_commit_is_a_way_out(repository, published):
    repository.git("reset", "--soft", "HEAD~1")
    assert repository.command().code == 0
    assert repository.command("--check").code == 0
    assert text_of(published).endswith("# edited\n")


def test_another_one_is_a_way_out(repository, published):
    repository.git("checkout", "--", str(published))
    assert repository.data_revision("put_years_right").code == 0
    assert repository.command("--check").code == 0


def test_amending_says_that_an_edited_revision_of_tables_is_not_for_editing(repository):
    repository.generate({SONG: WITH_YEAR, ALBUM: ID})
    repository.commit()
    path = repository.newest
    path.write_text(text_of(path) + "# edited\n")
    outcome = repository.command("--amend")
    assert outcome.code == 1
    assert f"versions/{path.name} is not what was recorded" in outcome.err
    assert text_of(path).endswith("# edited\n")
