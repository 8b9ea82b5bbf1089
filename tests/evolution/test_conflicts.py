"""What is said where a merge has left conflicts, and what `rebase` never makes again."""

import pytest
from evolutions import text_of

ID = "fields:\n  id: {type: uuid, primary_key: true}\n"
WITH_YEAR = f"{ID}  year: {{type: integer, nullable: true}}\n"
WITH_NOTE = f"{ID}  note: {{type: text, nullable: true}}\n"
WITH_NAME = f"{ID}  name: {{type: text, nullable: true}}\n"
SONG, ALBUM = "music/song.yaml", "music/album.yaml"
SUMS = "migrations/migrations.sum"
MENDS = (
    "run `soulspot-db rebase`: it writes this file anew, with the revisions and the generated code; where a branch is "
    "merged into what others follow, such as main, run `soulspot-db rebase --onto HEAD`"
)


@pytest.fixture
def branches(repository):
    """Make `theirs` from what one function does, and `ours`, which is checked out, from what another does."""

    def make(theirs, ours):
        for name, work in {"theirs": theirs, "ours": ours}.items():
            repository.git("checkout", "--quiet", "-b", name, "main")
            work()
            repository.commit(name)
        return repository

    return make


@pytest.fixture
def diverged(branches, repository):
    """Each branch adds a revision of its own."""
    return branches(
        lambda: repository.generate({SONG: ID, ALBUM: WITH_YEAR}),
        lambda: repository.generate({SONG: WITH_NOTE, ALBUM: ID}),
    )


def revisions_at(home, commit):
    return home.git("ls-tree", "--name-only", commit, "migrations/versions/").split()


# What is said.


def test_a_conflict_in_the_sums_leads_to_rebase_in_one_step(diverged):
    diverged.git("merge", "theirs", check=False)
    for options in ([], ["--check"]):
        outcome = diverged.command(*options)
        assert outcome.code == 1
        line = text_of(diverged.root / SUMS).splitlines().index("<<<<<<< HEAD") + 1
        assert (
            f"{SUMS}:{line}:1: this file has an unresolved merge conflict at line {line}\n    {MENDS}\n" in outcome.err
        )
    assert diverged.data_revision("fill", written=False).code == 1
    outcome = diverged.rebase()
    assert outcome.code == 0, outcome.err
    assert "git add --all" in outcome.out
    assert diverged.command("--check").code == 0


def test_a_conflict_in_the_snapshot_alone_leads_to_rebase_too(branches, repository):
    """Two orders of fields are two snapshots, and no revision."""
    repository.generate({SONG: f"{WITH_NOTE}  year: {{type: text, nullable: true}}\n", ALBUM: ID})
    repository.commit()
    fields = ["  id: {type: uuid, primary_key: true}\n", *WITH_NOTE.splitlines(keepends=True)[2:]]
    fields.append("  year: {type: text, nullable: true}\n")
    orders = [[0, 2, 1], [2, 0, 1]]
    home = branches(
        *(
            lambda order=order: repository.generate(
                {SONG: "fields:\n" + "".join(fields[at] for at in order), ALBUM: ID}
            )
            for order in orders
        )
    )
    home.git("merge", "theirs", check=False)
    home.git("checkout", "--ours", f"schemas/{SONG}")
    outcome = home.command()
    assert outcome.code == 1
    assert "migrations/snapshot/music/song.json:" in outcome.err
    assert MENDS in outcome.err
    assert home.rebase().code == 0
    assert home.command("--check").code == 0


def test_a_conflict_in_a_schema_is_told_with_its_line(branches, repository):
    home = branches(
        lambda: repository.generate({SONG: WITH_YEAR, ALBUM: ID}),
        lambda: repository.generate({SONG: WITH_NOTE, ALBUM: ID}),
    )
    home.git("merge", "theirs", check=False)
    line = text_of(home.root / "schemas" / SONG).splitlines().index("<<<<<<< HEAD") + 1
    for outcome in (home.command(), home.rebase()):
        assert outcome.code == 1
        assert f"schemas/{SONG}:{line}:1: this file has an unresolved merge conflict at line {line}\n" in outcome.err
        assert "take the lines <<<<<<<, ======= and >>>>>>> out" in outcome.err
        assert "1 problem; nothing was written" in outcome.err


def fill(repository, value):
    """A data revision that says whose it is."""
    repository.data_revision("fill")
    repository.newest.write_text(f"{text_of(repository.newest)}# {value}\n")
    repository.command()


def test_two_data_revisions_of_one_name_are_told_apart_by_a_person(branches, repository):
    home = branches(lambda: fill(repository, "theirs"), lambda: fill(repository, "ours"))
    ours, path = text_of(home.newest), home.newest
    home.git("merge", "theirs", check=False)
    outcome = home.rebase()
    assert outcome.code == 1
    assert "both sides have written a data revision of this name" in outcome.err
    relative = f"migrations/versions/{path.name}"
    assert "`git show :2:./migrations/versions/0002_fill.py > migrations/versions/NAME.py`" in outcome.err
    assert f"`git show MERGE_HEAD:./{relative} > {relative}` keeps theirs" in outcome.err
    path.with_name("0009_fill_more.py").write_text(home.git("show", f":2:./{relative}"))
    path.write_text(home.git("show", f"MERGE_HEAD:./{relative}"))
    assert text_of(path.with_name("0009_fill_more.py")) == ours
    outcome = home.rebase()
    assert outcome.code == 0, outcome.err
    assert home.versions == ["0001" + home.versions[0][4:], "0002_fill.py", "0003_fill_more.py"]
    assert home.command("--check").code == 0
    home.migrate()


def test_which_of_two_data_revisions_is_ours_is_told_in_the_middle_of_a_git_rebase(branches, repository):
    home = branches(lambda: fill(repository, "theirs"), lambda: fill(repository, "ours"))
    ours, path = text_of(home.newest), f"migrations/versions/{home.newest.name}"
    home.git("rebase", "theirs", check=False)
    outcome = home.rebase()
    assert (
        f"`git show :3:./{path} > migrations/versions/NAME.py`; then `git show HEAD:./{path} > {path}`" in outcome.err
    )
    assert home.git("show", f":3:./{path}") == ours


def test_a_merge_that_went_the_wrong_way_may_be_begun_again(diverged):
    """As docs/migrations.md says it."""
    diverged.git("checkout", "--quiet", "theirs")
    before = diverged.versions
    diverged.git("merge", "ours", check=False)
    assert diverged.rebase().code == 0
    assert diverged.versions[:2] != before
    diverged.git("merge", "--abort", check=False)
    diverged.git("reset", "--hard", "--quiet", "HEAD")
    diverged.git("clean", "-d", "--force", "--quiet", "migrations")
    assert diverged.command("--check").code == 0
    diverged.git("merge", "ours", check=False)
    assert diverged.rebase("--onto", "HEAD").code == 0
    assert diverged.versions[:2] == before
    assert diverged.command("--check").code == 0


def test_a_cherry_pick_is_mended_as_a_rebase_is(diverged):
    diverged.git("cherry-pick", "theirs", check=False)
    before = revisions_at(diverged, "HEAD")
    assert diverged.rebase().code == 0
    assert set(before) <= {f"migrations/versions/{name}" for name in diverged.versions}
    assert diverged.command("--check").code == 0


def test_what_a_stash_brings_is_put_on_top_of_head(diverged):
    diverged.generate({SONG: WITH_NAME.replace("name", "note"), ALBUM: WITH_NAME})
    diverged.git("stash", "--include-untracked", "--quiet")
    diverged.git("checkout", "--quiet", "theirs")
    diverged.git("stash", "pop", check=False)
    for name, text in {SONG: ID, ALBUM: WITH_YEAR + WITH_NAME[len(ID) :]}.items():
        (diverged.root / "schemas" / name).write_text(text)
    outcome = diverged.rebase()
    assert outcome.code == 2
    assert "--onto HEAD after a `git stash pop`" in outcome.err
    outcome = diverged.rebase("--onto", "HEAD")
    assert outcome.code == 0, outcome.err
    assert diverged.command("--check").code == 0


# What is never made again.


def test_rebasing_onto_what_head_follows_is_refused(repository):
    repository.generate({SONG: WITH_NOTE, ALBUM: ID})
    repository.commit("One")
    repository.generate({SONG: WITH_NOTE, ALBUM: WITH_YEAR})
    repository.commit("Two")
    before = repository.versions
    outcome = repository.rebase("--onto", "HEAD~2")
    assert outcome.code == 2
    assert "HEAD follows HEAD~2, and what HEAD has is never made again" in outcome.err
    assert "`--onto HEAD`" in outcome.err
    assert repository.versions == before
    assert repository.rebase("--onto", "HEAD").code == 0
    assert repository.versions == before


def test_onto_a_branch_that_has_gone_another_way_makes_ours_again(diverged):
    """Before the merge, with the schemas as they will be after it."""
    diverged.write({SONG: WITH_NOTE, ALBUM: WITH_YEAR})
    outcome = diverged.rebase("--onto", "theirs")
    assert outcome.code == 0, outcome.err
    assert revisions_at(diverged, "theirs")[-1].rpartition("/")[2] == diverged.versions[1]


def test_a_merge_that_was_mended_onto_head_is_not_made_again_the_other_way(diverged):
    diverged.git("merge", "theirs", check=False)
    assert diverged.rebase("--onto", "HEAD").code == 0
    diverged.commit("Merge")
    before = diverged.versions
    assert diverged.rebase().out == "nothing to do: every revision follows those of the others\n"
    assert diverged.rebase("--onto", "theirs").code == 2
    assert diverged.versions == before


def test_a_merge_that_was_committed_unmended_may_be_mended_later(diverged):
    diverged.git("merge", "theirs", check=False)
    diverged.git("checkout", "--ours", "generated", SUMS)
    diverged.commit("Merge")
    diverged.git("commit", "--allow-empty", "--quiet", "--message", "More")
    assert diverged.command().code == 1
    outcome = diverged.rebase("--onto", "theirs")
    assert outcome.code == 0, outcome.err
    assert diverged.command("--check").code == 0
