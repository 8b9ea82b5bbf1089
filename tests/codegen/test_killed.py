"""A run of the generator that is killed: every file is as it was or as it should be, and the same run finishes it."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from evolutions import Home, text_of
from projects import run, tree, write_project, write_schema

SHOW = "fields:\n  id: {type: uuid, primary_key: true}\n  title: {type: string, max_length: 80}\n"
SWAPPED = (
    "fields:\n  id: {type: uuid, primary_key: true}\n"
    "  title: {type: string, max_length: 80, renamed_from: name}\n"
    "  name: {type: string, max_length: 80, renamed_from: title}\n"
)
TWO = SHOW + "  name: {type: string, max_length: 80}\n"
YEAR = SHOW + "  year: {type: integer, nullable: true}\n"
NOTE = SHOW + "  note: {type: text, nullable: true}\n"
BOTH = YEAR + NOTE[len(SHOW) :]
SCHEMA = "media/show.yaml"


class Killed(BaseException):
    """What no handler of errors sees."""


@contextmanager
def killed_before(number, monkeypatch):
    """The process ends before its file operation of this number; what it had done stays."""
    done = iter(range(number))

    def counted(operation):
        def run_or_end(*arguments, **options):
            if next(done, None) is None:
                raise Killed
            return operation(*arguments, **options)

        return run_or_end

    with monkeypatch.context() as patch:
        for name in ("write_bytes", "replace", "unlink", "rmdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        yield


def edited(home):
    """Two more entities."""
    home.generate({SCHEMA: SHOW})
    write_schema(home.root, "media/episode.yaml", SHOW)
    write_schema(home.root, "radio/station.yaml", SHOW)
    return home.command


def swapped(home):
    """Two columns that swap their names, after which the tables look as before."""
    home.generate({SCHEMA: TWO})
    home.generate({SCHEMA: SWAPPED.replace(", renamed_from: name", "").replace(", renamed_from: title", "")})
    write_schema(home.root, SCHEMA, SWAPPED)
    return home.command


def in_git(home, schema=SHOW):
    home.git("init", "--quiet", "--initial-branch", "main")
    home.generate({SCHEMA: schema})
    home.commit("Begin")


def amended(home):
    """A revision of ours, and another edit of what it is about, whose file comes later in the folder."""
    in_git(home)
    home.generate({SCHEMA: NOTE})
    write_schema(home.root, SCHEMA, YEAR)
    return lambda: home.command("--amend")


def amended_with_data(home):
    """Revisions that become one, and data revisions of one name, which all move one place up the list."""
    in_git(home)
    home.generate({SCHEMA: YEAR})
    home.generate({SCHEMA: BOTH})
    add_data(home)
    return lambda: home.command("--amend")


def add_data(home):
    for word in ("one", "two", "three"):
        home.data_revision("fill")
        home.newest.write_text(f"{text_of(home.newest)}# {word}\n")
        assert home.command().code == 0


def rebased(home):
    """Data revisions of one name, which all move one place down the list."""
    in_git(home)
    home.git("checkout", "--quiet", "-b", "theirs")
    home.generate({SCHEMA: YEAR})
    home.commit("Theirs")
    home.git("checkout", "--quiet", "-b", "ours", "main")
    home.generate({SCHEMA: NOTE})
    add_data(home)
    home.commit("Ours")
    home.git("merge", "theirs", check=False)
    write_schema(home.root, SCHEMA, BOTH)
    return home.rebase


SCENES = [edited, swapped, amended, amended_with_data, rebased]


@pytest.mark.parametrize("apart", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("scene", SCENES)
def test_a_run_that_is_killed_at_any_file_operation_loses_nothing_and_the_same_run_finishes_it(
    scene, apart, tmp_path, monkeypatch
):
    home = Home(tmp_path / "project")
    home.root.mkdir()
    command = scene(home)
    kept = shutil.copytree(home.root, tmp_path / "kept")
    before = tree(home.root)
    assert command().code == 0
    after = tree(home.root)
    assert "migrations/.unfinished" not in after
    number, is_done = 0, False
    while not is_done:
        shutil.rmtree(home.root)
        shutil.copytree(kept, home.root)
        try:
            with killed_before(number, monkeypatch):
                assert command().code == 0
            is_done = True
        except Killed:
            pass
        for name, content in tree(home.root).items():
            if not name.endswith(".unfinished"):
                assert content in {before.get(name), after.get(name)}, (number, name)
        outcome = command()
        assert outcome.code == 0, (number, outcome.err)
        assert tree(home.root) == after, number
        number += apart
    assert number - apart > 9


def test_a_run_that_was_killed_before_it_recorded_its_revision_says_what_to_do_after_another_edit(
    tmp_path, monkeypatch
):
    home = Home(tmp_path / "project")
    home.generate({SCHEMA: SHOW})
    home.write({SCHEMA: YEAR})
    with pytest.raises(Killed), killed_before(2, monkeypatch):
        home.command()
    assert len(home.versions) == 2
    write_schema(home.root, SCHEMA, NOTE)
    outcome = home.command()
    assert outcome.code == 1
    assert "versions/0002_add_year_to_show.py is not in migrations.sum" in outcome.err
    assert "run the same one again, with the schemas as they were" in outcome.err
    write_schema(home.root, SCHEMA, YEAR)
    assert home.command().code == 0


def test_amending_that_was_stopped_is_told_to_go_on_with(tmp_path, monkeypatch):
    home = Home(tmp_path / "project")
    home.root.mkdir()
    in_git(home)
    home.generate({SCHEMA: YEAR})
    write_schema(home.root, SCHEMA, BOTH)
    with pytest.raises(Killed), killed_before(2, monkeypatch):
        home.command("--amend")
    outcome = home.command()
    assert outcome.code == 1
    assert "if a command was stopped, run the same one again" in outcome.err
    assert home.command("--amend").code == 0
    assert len(home.versions) == 2


def test_a_revision_that_nobody_recorded_is_refused(tmp_path):
    root = write_project(tmp_path / "project", {SCHEMA: SHOW})
    assert run(root).code == 0
    (root / "migrations/versions/0002_by_hand.py").write_text("revision = 'abc'\n")
    outcome = run(root)
    assert outcome.code == 1
    assert "versions/0002_by_hand.py is not in migrations.sum" in outcome.err
