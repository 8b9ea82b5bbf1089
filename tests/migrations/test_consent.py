"""Consent to a loss that lies behind a revision that commits is asked for before anything is committed."""

import pytest
from soulspot_db import MigrationError, MigrationRequiredError
from soulspot_db.migrations.check import require_heads
from soulspot_db.migrations.runner import migrate, status

DATA = "op.execute(\"UPDATE tracks SET title = 'x'\")"
LOSS = """
with steps.first() as first:
    first.loses("the values of old of tracks", 'SELECT "id" FROM "tracks"')
"""
NESTED = """
tracks = sa.table("tracks", sa.column("id"))
for _outer in steps.batches(tracks, size=1):
    for _inner in steps.batches(tracks, size=1):
        pass
"""


async def test_a_loss_behind_a_data_revision_is_refused_before_the_data_revision_runs(settings, filled):
    before = (await status(settings, filled.folder)).current
    filled.add(DATA, data=True)
    loss = filled.add(LOSS)
    with pytest.raises(MigrationError, match="would be committed already") as error:
        await migrate(settings, filled.folder)
    assert f"--allow-destructive {loss}" in error.value.resolution
    assert (await status(settings, filled.folder)).current == before
    assert (await migrate(settings, filled.folder, allow_destructive=[loss])).current == loss


async def test_as_far_as_nothing_is_lost_nobody_is_asked(settings, filled):
    data = filled.add(DATA, data=True)
    filled.add(LOSS)
    assert (await migrate(settings, filled.folder, to=data)).current == data


async def test_a_loop_over_batches_inside_another_one_is_refused(settings, filled):
    filled.add(NESTED, data=True)
    with pytest.raises(MigrationError, match="begins a loop over batches inside another one"):
        await migrate(settings, filled.folder)


async def test_migrating_at_start_does_not_open_what_the_code_does_not_fit(settings, filled, monkeypatch):
    monkeypatch.setattr("soulspot_db.migrations.locate.migrations_of", lambda _package: filled.folder)
    eager = settings.model_copy(update={"auto_migrate": True})
    with pytest.raises(MigrationRequiredError, match="the code needs 0123456789ab"):
        await require_heads(eager, {"entities": "0123456789ab"})


async def test_an_empty_name_is_no_revision(settings, filled):
    with pytest.raises(MigrationError, match="there is no revision"):
        await migrate(settings, filled.folder, to="")


async def test_consent_to_a_revision_that_there_is_not_is_refused_and_those_that_lose_something_are_listed(
    settings, filled, sql
):
    filled.add("pass")
    loss = filled.add(LOSS, title="Drop old of track")
    with pytest.raises(MigrationError, match="there is no revision ffff") as raised:
        await migrate(settings, filled.folder, to=filled.ids[1], allow_destructive=["ffff"])
    assert f"Pending, and losing something: {loss} (Drop old of track.)." in raised.value.resolution
    assert filled.ids[1] not in raised.value.resolution
    assert (await status(settings, filled.folder)).current == filled.ids[0]
    assert list(settings.database_path.parent.glob("*.before-migration.*")) == []
    await migrate(settings, filled.folder, allow_destructive=[loss])
    with pytest.raises(MigrationError, match="there is no revision ffff") as raised:
        await migrate(settings, filled.folder, allow_destructive=["ffff"])
    assert "No pending revision loses anything." in raised.value.resolution


async def test_a_revision_may_be_named_by_how_it_begins_where_no_other_begins_so(settings, filled):
    loss = filled.add(LOSS)
    for named in ({"allow_destructive": ["a"]}, {"to": "a"}):
        with pytest.raises(MigrationError, match=f"a means several revisions: {loss}, {filled.ids[0]}"):
            await migrate(settings, filled.folder, **named)
    assert (await migrate(settings, filled.folder, to=loss[:2], allow_destructive=[loss[:3]])).current == loss


async def test_consent_is_recommended_for_the_way_that_was_to_be_gone(settings, filled):
    loss = filled.add("pass", LOSS)
    filled.add("pass")
    await migrate(settings, filled.folder)
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder, to=filled.ids[0])
    assert f"soulspot-db migrate --allow-destructive {loss} --to {filled.ids[0]}" in raised.value.resolution


async def test_the_revision_before_the_loss_is_named(settings, filled):
    filled.add(DATA, data=True)
    between = filled.add("pass")
    filled.add(LOSS)
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    assert f"nothing is lost: soulspot-db migrate --to {between}" in raised.value.resolution
