"""Data revisions when revisions are made again: what they follow, and what follows them, stays so, or it is refused."""

import re

import pytest
from evolutions import text_of

SONG, ALBUM = "music/song.yaml", "music/album.yaml"
ID = "fields:\n  id: {type: uuid, primary_key: true}\n"
KEY = "0190b2d4-0000-7000-8000-000000000001"
NUMBERS = f"{ID}  x: {{type: integer, default: 0}}\n  y: {{type: integer, default: 0%s}}\n"
PLAIN = NUMBERS % ""
SWAPPED = NUMBERS.replace("x: {", "x: {renamed_from: y, ") % ", renamed_from: x"
WITHOUT_X = f"{ID}  y: {{type: integer, default: 0}}\nremoved: {{x: {{data: archive, reason: It is in y.}}}}\n"
MOODS = f"{ID}  mood: {{type: enum, values: [%s], default: open}}\n"
WIDE, NARROW = MOODS % "draft, open", MOODS % "open"
MORE = f"{ID}  z: {{type: integer, nullable: true}}\n"


def fill(home, column, value, name="fill"):
    """A data revision that gives each song's column a value, in Python."""
    assert home.data_revision(name, written=False).code == 0
    lines = [line for line in text_of(home.newest).splitlines(keepends=True) if "NotImplementedError" not in line]
    text, count = re.subn(r"values = \{.*\}", f'values = {{"{column}": {value}}}', "".join(lines))
    assert count == 1
    text = re.sub(r'"music_albums"', '"music_songs"', text)
    columns = "".join(f'        sa.column("{name}"),\n' for name in [column, *re.findall(r"rows\.c\.(\w+)", value)])
    home.newest.write_text(re.sub(r'(sa\.column\("id"\),\n)', rf"\1{columns}", text, count=1), "utf-8")
    assert home.command().code == 0


def edit(home, song, album=ID):
    """Write both schemas and generate nothing."""
    (home.root / "schemas" / SONG).write_text(song)
    (home.root / "schemas" / ALBUM).write_text(album)


# What the schemas are before and after a data revision that must stand between the two, and what a row becomes.
BETWEEN = {
    "a value that is in use until then": (WIDE, ("mood", "'open'"), NARROW, {"mood": "draft"}, {"mood": "open"}),
    "columns that swap their names": (PLAIN, ("x", "row.x * 100"), SWAPPED, {"x": 5, "y": 7}, {"x": 7, "y": 500}),
    "a column that is gone then": (PLAIN, ("y", "rows.c.x"), WITHOUT_X, {"x": 5, "y": 7}, {"y": 5}),
}


@pytest.fixture(params=BETWEEN)
def between(request, repository):
    """Tables that git has, a row, a data revision, and the schema that it prepares; and what becomes of the row."""
    before, change, after, row, becomes = BETWEEN[request.param]
    repository.generate({SONG: before, ALBUM: ID})
    repository.commit()
    repository.migrate()
    repository.insert("music_songs", {"id": KEY, **row})
    fill(repository, *change)
    return repository, after, [{"id": KEY, **becomes}]


@pytest.mark.parametrize("generated", [True, False])
def test_amending_an_edit_that_follows_a_data_revision_leaves_it_behind(between, generated):
    home, after, becomes = between
    before = home.versions
    edit(home, after)
    assert not generated or home.command().code == 0
    outcome = home.command("--amend")
    assert outcome.code == 0, outcome.err
    assert (home.versions[:-1], len(home.versions)) == (before, len(before) + 1)
    home.migrate()
    home.require_sound()
    assert home.rows("music_songs") == becomes


def test_an_edit_is_not_put_before_a_data_revision_that_follows_tables_of_ours(repository):
    repository.generate({SONG: WIDE, ALBUM: ID})
    fill(repository, "mood", "'open'")
    before = repository.versions
    edit(repository, NARROW)
    outcome = repository.command("--amend")
    assert (outcome.code, repository.versions) == (1, before)
    assert f"the data revision {before[-1]} stands between revisions that change tables, which cannot become one" in (
        outcome.err
    )
    assert "run `soulspot-db generate` without --amend" in outcome.err
    assert repository.command().code == 0
    assert repository.command("--check").code == 0


def test_a_data_revision_between_two_of_tables_keeps_them_from_becoming_one(repository):
    repository.generate({SONG: WIDE, ALBUM: ID})
    fill(repository, "mood", "'open'")
    data = repository.versions[-1]
    repository.generate({SONG: NARROW, ALBUM: ID})
    before = repository.versions
    outcome = repository.command("--amend")
    assert (outcome.code, repository.versions) == (1, before)
    assert (
        f"the data revision {data} stands between revisions that change tables, which cannot become one" in outcome.err
    )


def test_amending_tells_which_data_revisions_follow_others_now(repository):
    repository.generate({SONG: PLAIN, ALBUM: ID})
    repository.generate({SONG: PLAIN, ALBUM: MORE})
    fill(repository, "y", "1")
    outcome = repository.command("--amend")
    assert outcome.code == 0, outcome.err
    assert "migrations/versions/0003_fill.py now follows other revisions; read it once more" in outcome.out
    assert repository.versions[2:] == ["0003_fill.py"]
    assert repository.command("--check").code == 0
    assert "read it once more" not in repository.command("--amend").out


# After a merge.


@pytest.fixture
def theirs(repository):
    """A branch `theirs` that gives albums a field; a branch of ours is checked out."""
    repository.generate({SONG: WIDE, ALBUM: ID})
    repository.commit()
    repository.git("checkout", "--quiet", "-b", "theirs")
    repository.generate({SONG: WIDE, ALBUM: MORE})
    repository.commit("Theirs")
    repository.git("checkout", "--quiet", "-b", "ours", "main")
    return repository


def test_a_data_revision_of_ours_that_came_first_still_comes_first(theirs):
    fill(theirs, "mood", "'open'")
    theirs.generate({SONG: NARROW, ALBUM: ID})
    theirs.commit("Ours")
    theirs.git("merge", "theirs", check=False)
    outcome = theirs.rebase()
    assert outcome.code == 0, outcome.err
    assert [name[5:] for name in theirs.versions[2:]] == [
        "add_z_to_album.py",
        "fill.py",
        "take_draft_out_of_song_mood.py",
    ]
    assert "migrations/versions/0004_fill.py now follows other revisions; read it once more" in outcome.out
    theirs.migrate()
    theirs.require_sound()


def test_what_stood_behind_a_loss_already_may_stay_behind_it(theirs):
    buried = "removed: {mood: {data: discard, reason: No.}}\n"
    theirs.generate({SONG: f"{ID}  n: {{type: integer, nullable: true}}\n{buried}", ALBUM: ID})
    fill(theirs, "n", "7")
    theirs.commit("Ours")
    theirs.git("merge", "theirs", check=False)
    outcome = theirs.rebase()
    assert outcome.code == 0, outcome.err
    assert theirs.versions[-1] == "0005_fill.py"
    assert theirs.command("--check").code == 0


def test_a_data_revision_between_tables_is_put_on_top_of_others_commit_by_commit(theirs):
    """As docs/migrations.md says it."""
    theirs.generate({SONG: MOODS % "draft, open, done", ALBUM: ID})
    theirs.commit("One")
    fill(theirs, "mood", "'done'")
    theirs.commit("Two")
    theirs.generate({SONG: MOODS % "open, done", ALBUM: ID})
    theirs.commit("Three")
    theirs.git("merge", "theirs", check=False)
    outcome = theirs.rebase()
    assert outcome.code == 1
    assert "stands between revisions that change tables" in outcome.err
    theirs.git("merge", "--abort")
    theirs.git("rebase", "theirs", check=False)
    for _ in range(3):
        outcome = theirs.rebase()
        assert outcome.code == 0, outcome.err
        theirs.git("add", "--all")
        theirs.git("rebase", "--continue", check=False)
    assert not (theirs.root / ".git" / "rebase-merge").exists()
    assert [name[5:] for name in theirs.versions[2:]] == [
        "add_z_to_album.py",
        "add_done_to_song_mood.py",
        "fill.py",
        "take_draft_out_of_song_mood.py",
    ]
    assert theirs.command("--check").code == 0
    theirs.migrate()
    theirs.require_sound()


def test_a_file_without_a_number_keeps_its_name_and_comes_last(theirs):
    fill(theirs, "mood", "'open'", name="zeal")
    mine = theirs.newest
    theirs.data_revision("b")
    mine.rename(mine.with_name("a.py"))
    edit(theirs, WIDE, MORE)
    outcome = theirs.rebase("--onto", "theirs")
    assert outcome.code == 0, outcome.err
    assert theirs.versions[2:] == ["0003_add_z_to_album.py", "0004_b.py", "0005_a.py"]


# What a data revision says of its place.


@pytest.fixture
def recorded(repository):
    repository.data_revision("fill")
    return repository, repository.newest


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [(r'^(schema_after = ".*")$', r"\1  # as it was"), (r'^schema_after = "(.*)"$', r"schema_after: str = '\1'")],
)
def test_the_tables_that_a_data_revision_leaves_are_read_however_they_are_written(recorded, pattern, replacement):
    home, path = recorded
    path.write_text(re.sub(pattern, replacement, text_of(path), flags=re.MULTILINE))
    assert home.command().code == 0
    assert len(home.versions) == 2
    edit(home, MORE)
    assert home.command().code == 0
    assert home.versions[-1] == "0003_add_z_to_song.py"


@pytest.mark.parametrize("options", [[], ["--check"], ["--amend"]])
@pytest.mark.parametrize("written", [None, "schema_after = digest()"])
def test_a_data_revision_that_does_not_say_its_place_is_named_with_its_line(recorded, written, options):
    home, path = recorded
    lines = text_of(path).splitlines()
    at = next(number for number, text in enumerate(lines) if text.startswith("schema_after = "))
    lines[at : at + 1] = [] if written is None else [written]
    path.write_text("\n".join(lines) + "\n")
    outcome = home.command(*options)
    assert outcome.code == 1
    place = f"migrations/versions/{path.name}:{1 if written is None else at + 1}:1"
    assert f'{place}: this revision does not say `schema_after = "..."`' in outcome.err
    assert "1 problem;" in outcome.err
