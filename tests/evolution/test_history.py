"""The line of revisions: what was edited is named, what git does not have may be made again, branches become one line."""

import re

import pytest
from evolutions import Home, text_of

ID = "fields:\n  id: {type: uuid, primary_key: true}\n"
WITH_YEAR = f"{ID}  year: {{type: integer, nullable: true}}\n"
WITH_NOTE = f"{ID}  note: {{type: text, nullable: true}}\n"
BOTH = f"{ID}  year: {{type: integer, nullable: true}}\n  note: {{type: text, nullable: true}}\n"
SONG, ALBUM = "music/song.yaml", "music/album.yaml"
SUMS = "migrations/migrations.sum"
# What names the newest revision; `rebase` writes both. Nothing that a person writes is among them.
HEADS = ["generated/entities/__init__.py", SUMS]


@pytest.fixture
def grown(repository):
    """Three revisions, all committed."""
    repository.generate({SONG: WITH_YEAR, ALBUM: ID})
    repository.generate({SONG: BOTH, ALBUM: ID})
    repository.commit()
    return repository


def write(home, schemas):
    for name, text in schemas.items():
        (home.root / "schemas" / name).write_text(text)


def line_of(home):
    """The revisions in order, each with its parent; they are one line."""
    found = {}
    for path in (home.migrations / "versions").glob("*.py"):
        said = dict(re.findall(r'^(revision|down_revision) = (?:"(\w+)"|None)$', text_of(path), re.MULTILINE))
        found[said["down_revision"]] = (said["revision"], path.name)
    line, at = [], ""
    while at in found:
        at, name = found.pop(at)
        line.append(name)
    assert found == {}
    return line


def require_one_line(home, *tables):
    assert line_of(home) == home.versions
    assert home.command("--check").code == 0
    home.settings.database_path.unlink(missing_ok=True)
    home.migrate()
    home.require_sound()
    for table, columns in tables:
        assert home.structure()[table].columns.keys() == set(columns)


# What was recorded.


def test_each_edited_revision_is_named(grown):
    for name in (grown.versions[0], grown.versions[2]):
        path = grown.migrations / "versions" / name
        path.write_text(text_of(path) + "# edited\n")
    outcome = grown.command()
    assert outcome.code == 1
    named = re.findall(r"versions/(\S+) is not what was recorded", outcome.err)
    assert named == [grown.versions[0], grown.versions[2]]
    assert "restore the file from version control" in outcome.err


def test_a_missing_revision_is_named(grown):
    name = grown.versions[1]
    (grown.migrations / "versions" / name).unlink()
    outcome = grown.command()
    assert outcome.code == 1
    assert f"migrations.sum names {name}, which is missing" in outcome.err


def test_a_revision_that_nobody_recorded_is_named(grown):
    (grown.migrations / "versions" / "0009_mine.py").write_text("revision = 'x'\n")
    outcome = grown.command()
    assert outcome.code == 1
    assert "versions/0009_mine.py is not in migrations.sum" in outcome.err


def test_other_line_ends_are_no_edit(grown):
    for path in [*(grown.migrations / "versions").glob("*.py"), grown.migrations / "migrations.sum"]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert grown.command().code == 0
    grown.migrate()
    grown.require_sound()


@pytest.mark.parametrize(
    "gone", [["versions"], ["versions", "migrations.sum"], ["versions", "migrations.sum", "snapshot"]]
)
def test_revisions_that_are_gone_are_not_begun_anew(grown, gone):
    for name in gone:
        grown.git("rm", "-r", "--quiet", f"migrations/{name}")
    outcome = grown.command()
    assert outcome.code == 1
    assert "restore" in outcome.err
    assert not (grown.migrations / "versions").exists()


def test_revisions_may_be_begun_anew_once_their_removal_is_committed(grown):
    grown.git("rm", "-r", "--quiet", "migrations")
    grown.commit("Begin anew")
    assert grown.command().code == 0
    assert len(grown.versions) == 1
    require_one_line(grown)


def test_a_snapshot_that_was_edited_is_written_again_and_no_edit_is_compared_with_it(grown):
    path = grown.migrations / "snapshot" / "music" / "song.json"
    before = text_of(path)
    path.write_text(before.replace('"year"', '"years"'))
    write(grown, {SONG: WITH_NOTE})
    outcome = grown.command()
    assert outcome.code == 1
    assert "migrations/snapshot is not what revision" in outcome.err
    write(grown, {SONG: BOTH})
    assert grown.command().code == 0
    assert text_of(path) == before


# Data revisions.


def test_a_data_revision_may_be_edited_until_git_has_it(grown):
    assert grown.data_revision("mark_old_songs").code == 0
    assert grown.command().code == 0
    path = grown.newest
    path.write_text(text_of(path).replace("values = {", "values = {'year': 1958, "))
    assert grown.command().code == 0
    assert grown.command("--check").code == 0
    grown.commit()
    path.write_text(text_of(path).replace("1958", "1959"))
    outcome = grown.command()
    assert outcome.code == 1
    assert f"versions/{path.name} is not what was recorded" in outcome.err


def test_a_data_revision_leaves_the_tables_and_the_next_revision_follows_it(grown):
    grown.data_revision("mark_old_songs")
    grown.generate({SONG: BOTH, ALBUM: WITH_YEAR})
    assert [name.partition("_")[0] for name in grown.versions] == ["0001", "0002", "0003", "0004", "0005"]
    require_one_line(grown)


# Amending.


def test_amending_makes_the_newest_revision_again(repository):
    repository.generate({SONG: WITH_YEAR, ALBUM: ID})
    first = repository.newest.name
    write(repository, {SONG: WITH_NOTE})
    outcome = repository.command("--amend")
    assert outcome.code == 0, outcome.err
    assert f"remove migrations/versions/{first}" in outcome.out
    assert repository.versions[1:] == ["0002_add_note_to_song.py"]
    require_one_line(repository, ("music_songs", ["id", "note"]))


def test_amending_makes_several_revisions_one(repository):
    repository.generate({SONG: WITH_YEAR, ALBUM: ID})
    repository.generate({SONG: BOTH, ALBUM: ID})
    assert repository.command("--amend").code == 0
    assert len(repository.versions) == 2
    require_one_line(repository, ("music_songs", ["id", "year", "note"]))


def test_amending_back_to_what_git_has_leaves_no_revision(repository):
    repository.generate({SONG: WITH_YEAR, ALBUM: ID})
    write(repository, {SONG: ID})
    assert repository.command("--amend").code == 0
    assert len(repository.versions) == 1
    require_one_line(repository, ("music_songs", ["id"]))


def test_amending_keeps_a_data_revision_behind(repository):
    repository.generate({SONG: WITH_YEAR, ALBUM: ID})
    repository.generate({SONG: BOTH, ALBUM: ID})
    repository.data_revision("mark_old_songs")
    assert repository.command("--amend").code == 0
    assert [name[5:] for name in repository.versions][1:] == [
        "add_year_and_note_to_song.py",
        "mark_old_songs.py",
    ]
    require_one_line(repository, ("music_songs", ["id", "year", "note"]))


def test_amending_what_git_has_already_is_refused(grown):
    outcome = grown.command("--amend")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "nothing to amend: git's HEAD has every revision" in outcome.err
    before = grown.versions
    write(grown, {ALBUM: WITH_YEAR})
    assert grown.command("--amend").code == 2
    assert grown.versions == before
    assert grown.command().code == 0


def test_amending_before_the_first_commit_makes_the_first_revision_again(home):
    home.root.mkdir()
    home.git("init", "--quiet")
    home.generate({SONG: ID})
    write(home, {SONG: WITH_YEAR})
    outcome = home.command("--amend")
    assert outcome.code == 0, outcome.err
    assert len(home.versions) == 1
    require_one_line(home, ("music_songs", ["id", "year"]))


def test_amending_without_git_says_what_is_missing(home):
    home.generate({SONG: ID})
    outcome = home.command("--amend")
    assert outcome.code == 2
    assert "is in no git repository" in outcome.err


def test_a_project_in_a_folder_of_a_repository_is_amended_as_well(tmp_path):
    home = Home(tmp_path / "shop" / "project")
    home.root.mkdir(parents=True)
    home.git("init", "--quiet", "..")
    home.generate({SONG: ID})
    home.commit()
    home.generate({SONG: WITH_YEAR})
    write(home, {SONG: WITH_NOTE})
    assert home.command("--amend").code == 0
    assert home.versions[1:] == ["0002_add_note_to_song.py"]


# Branches.


@pytest.fixture
def branched(repository):
    """Two branches: `theirs` gives albums a year, `main` gives songs a note."""

    def make(theirs, ours):
        repository.git("checkout", "--quiet", "-b", "theirs")
        write(repository, theirs)
        assert repository.command().code == 0
        repository.commit("Theirs")
        repository.git("checkout", "--quiet", "main")
        repository.git("checkout", "--quiet", "-b", "ours")
        write(repository, ours)
        assert repository.command().code == 0
        repository.commit("Ours")
        return repository

    return make


def conflicts(home):
    return home.git("diff", "--name-only", "--diff-filter=U").split()


def test_branches_that_edit_different_entities_conflict_where_the_newest_is_named_and_rebase_mends_it(branched):
    home = branched({ALBUM: WITH_YEAR}, {SONG: WITH_NOTE})
    theirs = home.git("show", "theirs:migrations/versions/0002_add_year_to_album.py")
    home.git("merge", "theirs", check=False)
    assert conflicts(home) == HEADS
    assert "soulspot-db rebase" in home.command().err
    outcome = home.rebase()
    assert outcome.code == 0, outcome.err
    assert re.search(r"^revision [0-9a-f]{12}: Add note to song$", outcome.out, re.MULTILINE)
    assert home.versions[1:] == ["0002_add_year_to_album.py", "0003_add_note_to_song.py"]
    assert text_of(home.migrations / "versions" / home.versions[1]) == theirs
    require_one_line(home, ("music_songs", ["id", "note"]), ("music_albums", ["id", "year"]))
    home.commit("Merge")
    assert home.rebase().out == "nothing to do: every revision follows those of the others\n"


def test_rebase_mends_a_merge_that_has_been_committed(branched):
    home = branched({ALBUM: WITH_YEAR}, {SONG: WITH_NOTE})
    home.git("merge", "theirs", check=False)
    home.git("checkout", "--theirs", *HEADS)
    home.commit("Merge")
    assert home.command().code == 1
    assert home.rebase().code == 0
    require_one_line(home, ("music_songs", ["id", "note"]), ("music_albums", ["id", "year"]))


def test_branches_that_edit_one_entity_conflict_in_its_schema_and_rebase_mends_the_rest(branched):
    home = branched({SONG: WITH_YEAR}, {SONG: WITH_NOTE})
    home.git("merge", "theirs", check=False)
    assert f"schemas/{SONG}" in conflicts(home)
    outcome = home.rebase()
    assert outcome.code == 1
    assert f"schemas/{SONG}:" in outcome.err
    write(home, {SONG: BOTH})
    outcome = home.rebase()
    assert outcome.code == 0, outcome.err
    require_one_line(home, ("music_songs", ["id", "year", "note"]))


def test_rebase_works_in_the_middle_of_a_git_rebase(branched):
    home = branched({ALBUM: WITH_YEAR}, {SONG: WITH_NOTE})
    home.git("rebase", "theirs", check=False)
    assert conflicts(home) == HEADS
    outcome = home.rebase()
    assert outcome.code == 0, outcome.err
    home.git("add", "--all")
    home.git("rebase", "--continue")
    require_one_line(home, ("music_songs", ["id", "note"]), ("music_albums", ["id", "year"]))
    assert home.versions[2] == "0003_add_note_to_song.py"


def test_onto_says_whose_revisions_stay(branched):
    home = branched({ALBUM: WITH_YEAR}, {SONG: WITH_NOTE})
    home.git("merge", "theirs", check=False)
    assert home.rebase("--onto", "ours").code == 0
    assert home.versions[1:] == ["0002_add_note_to_song.py", "0003_add_year_to_album.py"]
    require_one_line(home, ("music_songs", ["id", "note"]), ("music_albums", ["id", "year"]))


def test_a_data_revision_of_ours_follows_and_is_told(branched):
    home = branched({ALBUM: WITH_YEAR}, {SONG: WITH_NOTE})
    home.data_revision("write_notes")
    home.commit("Notes")
    home.git("merge", "theirs", check=False)
    outcome = home.rebase()
    assert outcome.code == 0, outcome.err
    told = "migrations/versions/0004_write_notes.py now follows other revisions; read it once more"
    assert told in outcome.out
    assert [name[5:] for name in home.versions][1:] == [
        "add_year_to_album.py",
        "add_note_to_song.py",
        "write_notes.py",
    ]
    require_one_line(home, ("music_songs", ["id", "note"]), ("music_albums", ["id", "year"]))


def test_two_branches_with_the_same_edit_become_one_revision(branched):
    home = branched({SONG: WITH_YEAR}, {SONG: WITH_YEAR})
    home.git("merge", "theirs")
    assert home.rebase().out == "nothing to do: every revision follows those of the others\n"
    require_one_line(home, ("music_songs", ["id", "year"]))


def test_several_revisions_of_ours_become_one(branched):
    home = branched({ALBUM: WITH_YEAR}, {SONG: WITH_NOTE})
    home.generate({SONG: BOTH, ALBUM: ID})
    home.commit("More")
    home.git("merge", "theirs", check=False)
    assert home.rebase().code == 0
    assert len(home.versions) == 3
    require_one_line(home, ("music_songs", ["id", "year", "note"]), ("music_albums", ["id", "year"]))


def test_rebase_without_a_merge_asks_onto_what(repository):
    outcome = repository.rebase()
    assert outcome.code == 2
    assert "--onto" in outcome.err


def test_rebase_onto_an_unknown_commit_names_it(repository):
    outcome = repository.rebase("--onto", "nowhere")
    assert outcome.code == 2
    assert "git knows no commit 'nowhere'" in outcome.err


def test_amending_does_not_put_a_data_revision_behind_the_loss_of_what_it_reads(grown):
    """`n filled from j` between `n added` and `j dropped` would find no j, if the two became one."""
    assert grown.data_revision("fill_it").code == 0
    assert grown.command().code == 0
    write(grown, {SONG: ID + "removed: {note: {data: discard, reason: x}, year: {data: discard, reason: x}}\n"})
    before = grown.versions
    outcome = grown.command("--amend")
    assert outcome.code == 0, outcome.err
    assert grown.versions == [*before, "0005_drop_year_and_note_of_song.py"]
