"""Going back: revisions that cannot be undone are found before anything is, and the way out is told."""

import pytest
from soulspot_db import MigrationError
from soulspot_db.migrations.runner import migrate, status

from tests.migrations.test_steps import looking

REFUSES = "steps.refuse_to_go_back('it dropped old of tracks')"
ROWS = "op.execute(\"UPDATE tracks SET title = 'x'\")"


def backups(settings):
    return sorted(settings.database_path.parent.glob("*.before-migration.*"))


@pytest.fixture
async def one_way(settings, filled):
    """A revision that cannot be undone, and above it one that changes rows and can."""
    filled.add("pass", REFUSES, title="Drop old of track")
    filled.add(ROWS, ROWS.replace("'x'", "'undone'"), data=True)
    await migrate(settings, filled.folder, backup=False)
    return filled


async def refused(settings, revisions, to):
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, revisions.folder, to=to)
    return raised.value


async def test_nothing_is_undone_where_a_revision_further_back_cannot_be(settings, one_way, sql):
    error = await refused(settings, one_way, one_way.ids[0])
    assert "Nothing was changed." in error.resolution
    assert (await status(settings, one_way.folder)).current == one_way.ids[-1]
    assert sql("SELECT DISTINCT title FROM tracks") == [("x",)]
    assert backups(settings) == []


async def test_the_refusal_names_the_revision_its_title_the_loss_and_how_far_back_one_can_go(settings, one_way):
    first, id, _rows = one_way.ids
    error = await refused(settings, one_way, first)
    assert f"revision {id} cannot be undone: it dropped old of tracks ('Drop old of track.')" in error.message
    assert error.context["revision"] == id
    assert f"soulspot-db migrate --to {id}" in error.resolution
    await migrate(settings, one_way.folder, to=id, backup=False)
    assert "migrate --to" not in (await refused(settings, one_way, first)).resolution


async def test_every_revision_that_refuses_is_named_at_once(settings, one_way):
    last = one_way.add("pass", "steps.refuse_to_go_back('it dropped x')", title="Drop x")
    one_way.add("pass")
    await migrate(settings, one_way.folder, backup=False)
    error = await refused(settings, one_way, "none")
    assert f"revision {last} cannot be undone: it dropped x" in error.message
    assert f"revision {one_way.ids[1]} cannot be undone: it dropped old of tracks" in error.message
    assert f"soulspot-db migrate --to {last}" in error.resolution
    assert error.context["revision"] == one_way.ids[1]


async def test_the_newest_backup_from_before_that_revision_is_named(settings, one_way):
    before, id, after = one_way.ids
    folder = settings.database_path.parent
    for revision, time in ((id, "5"), (after, "6"), ("ffffffffffff", "7")):
        (folder / f"soulspot.before-migration.{revision}.2026010{time}T000000Z.db").touch()
    (folder / f"other.before-migration.{before}.20260108T000000Z.db").touch()
    none = f"no backup from before it beside {settings.database_path}"
    assert none in (await refused(settings, one_way, "none")).resolution
    for label in (
        "none.20260102T000000Z",
        f"{before}.20260103T000000Z",
        "none.20260104T000000Z-9",
        "none.20260104T000000Z-10",
    ):
        newest = folder / f"soulspot.before-migration.{label}.db"
        newest.touch()
        assert str(newest) in (await refused(settings, one_way, "none")).resolution
    (folder / f"soulspot.before-migration.{before}.20260101T000000Z.db").touch()
    assert str(newest) in (await refused(settings, one_way, "none")).resolution


async def test_a_backup_that_migrate_has_made_is_the_one_that_is_named(settings, filled):
    filled.add("pass", REFUSES)
    saved = (await migrate(settings, filled.folder)).backup
    filled.add("pass")
    await migrate(settings, filled.folder)
    assert str(saved) in (await refused(settings, filled, "none")).resolution


async def test_a_refusal_under_a_condition_is_left_to_the_revision(settings, filled):
    filled.add("pass", "if False:\n    steps.refuse_to_go_back('never')")
    await migrate(settings, filled.folder)
    assert (await migrate(settings, filled.folder, to=filled.ids[0])).current == filled.ids[0]


async def test_a_run_that_goes_back_says_that_it_undoes(settings, filled):
    id = filled.add("pass", title="Name tracks")
    await migrate(settings, filled.folder)
    lines = []
    await migrate(settings, filled.folder, lines.append, to=filled.ids[0], backup=False)
    assert lines == [f"undoing {id}  Name tracks."]


async def test_what_refuses_on_the_way_back_says_so(settings, filled):
    looks = looking(("refuse", "of tracks without a title", "SELECT id FROM tracks WHERE title IS NULL"))
    id = filled.add("pass", looks)
    await migrate(settings, filled.folder)
    with pytest.raises(MigrationError, match=f"revision {id} cannot be undone: there is 1 row of tracks"):
        await migrate(settings, filled.folder, to=filled.ids[0])


async def test_a_failure_on_the_way_back_says_so(settings, filled):
    id = filled.add("pass", "op.execute('nonsense')")
    await migrate(settings, filled.folder)
    with pytest.raises(MigrationError, match=f"undoing revision {id} failed"):
        await migrate(settings, filled.folder, to=filled.ids[0])


@pytest.mark.parametrize(("why", "said"), [("fill plays", "fill plays"), ("it drops x", "it drops x ('Fill plays.')")])
async def test_a_reason_that_is_the_title_is_told_once(settings, filled, why, said):
    id = filled.add("pass", f"steps.refuse_to_go_back({why!r})", title="Fill plays")
    await migrate(settings, filled.folder)
    error = await refused(settings, filled, filled.ids[0])
    assert error.message == f"revision {id} cannot be undone: {said}"
