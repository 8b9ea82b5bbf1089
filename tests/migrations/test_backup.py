"""The copy that is made before a database is migrated."""

import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing

import pytest
from soulspot_db import DiskFullError, MigrationError
from soulspot_db.migrations import backup
from soulspot_db.migrations.runner import migrate


def copies(settings):
    return sorted(settings.database_path.parent.glob("soulspot.before-migration.*"))


async def test_the_backup_holds_what_was_there_before_and_is_told_and_kept(settings, filled, code):
    filled.add(code["rebuild_tracks"])
    lines = []
    state = await migrate(settings, filled.folder, lines.append)
    (copy,) = copies(settings)
    assert state.backup == copy
    assert lines[0] == f"backup: {copy}"
    assert copy.name.startswith(f"soulspot.before-migration.{filled.ids[0]}.2")
    assert copy.name.endswith("Z.db")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT sum(old) FROM tracks").fetchall() == [(6,)]
        assert connection.execute("SELECT version_num FROM soulspot_db_version").fetchall() == [(filled.ids[0],)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_what_is_still_in_the_write_ahead_log_is_in_the_backup(settings, filled, code):
    filled.add(code["rebuild_tracks"])
    with closing(sqlite3.connect(settings.database_path)) as other:
        other.execute("PRAGMA wal_autocheckpoint = 0")
        with other:
            other.execute("UPDATE tracks SET old = 100 WHERE id = 1")
        assert settings.database_path.with_name("soulspot.db-wal").stat().st_size > 0
        state = await migrate(settings, filled.folder)
    with closing(sqlite3.connect(state.backup)) as connection:
        assert connection.execute("SELECT old FROM tracks WHERE id = 1").fetchall() == [(100,)]


async def test_a_run_that_changes_nothing_leaves_no_backup_however_often_it_is_tried(settings, filled, code):
    filled.add("op.execute('nonsense')")
    told = []
    for _ in range(3):
        with pytest.raises(MigrationError):
            await migrate(settings, filled.folder, told.append)
        assert copies(settings) == []
    assert told.count("nothing was changed, and the backup is removed") == 3
    assert not list(settings.database_path.parent.glob("*unfinished*"))


async def test_nothing_is_copied_where_there_is_nothing_to_do_or_to_lose_or_nobody_wants_it(settings, revisions, code):
    revisions.add(code["tables"])
    assert (await migrate(settings, revisions.folder)).backup is None
    assert (await migrate(settings, revisions.folder)).backup is None
    revisions.add(code["rebuild_tracks"])
    assert (await migrate(settings, revisions.folder, backup=False)).backup is None
    assert copies(settings) == []


async def test_too_little_room_is_said_before_anything_is_done(settings, filled, code, monkeypatch, sql):
    filled.add(code["rebuild_tracks"])
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own
    size = settings.database_path.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, 2 * size - 1))
    with pytest.raises(DiskFullError, match="a backup and the migration need") as raised:
        await migrate(settings, filled.folder)
    assert "soulspot-db migrate --no-backup" in raised.value.resolution
    assert sql("SELECT sum(old) FROM tracks") == [(6,)]
    assert copies(settings) == []
    await migrate(settings, filled.folder, backup=False)


async def test_a_backup_is_as_private_as_the_database(settings, filled, code):
    settings.database_path.chmod(0o600)
    filled.add(code["rebuild_tracks"])
    state = await migrate(settings, filled.folder)
    assert state.backup.stat().st_mode & 0o777 == 0o600


async def test_a_backup_that_breaks_off_leaves_no_file_that_looks_whole(settings, filled, code, monkeypatch, sql):
    filled.add(code["rebuild_tracks"])

    def fail(*_arguments, **_options):
        raise DiskFullError("full")

    monkeypatch.setattr(backup, "copy", fail)
    with pytest.raises(DiskFullError):
        await migrate(settings, filled.folder)
    assert copies(settings) == []
    assert sql("SELECT sum(old) FROM tracks") == [(6,)]


async def test_auto_migrate_makes_a_backup_and_logs_where(settings, filled, code, caplog):
    import logging

    from soulspot_db.migrations import check, locate

    id = filled.add(code["rebuild_tracks"])
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.INFO, logger="soulspot_db.migrations"):
        patch.setattr(locate, "migrations_of", lambda _package: filled.folder)
        await check.require_heads(settings.model_copy(update={"auto_migrate": True}), {"x": id})
    (copy,) = copies(settings)
    assert f"backup: {copy}" in caplog.messages
