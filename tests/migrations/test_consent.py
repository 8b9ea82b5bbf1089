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
