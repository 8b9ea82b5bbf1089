"""`soulspot-db doctor` on SQLite: what surrounds the file: room, file system, clock, leftovers, backups, keys."""

import os
import tempfile
import time
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from doctor_reports import backup_named, change, one
from soulspot_db.doctor import clock, disk
from soulspot_db.doctor.disk import kind_of

usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own


@pytest.mark.parametrize(
    ("free", "size", "level", "said"),
    [
        (99_000_000, 0, "must", "soon nothing more can be written"),
        (150_000_000, 100_000_000, "note", "no room for a migration with its backup"),
        (150_000_000, 200_000_000, "note", "no room for a backup there or a migration"),
        (500_000_000, 200_000_000, "ok", "500.0 MB are free"),
    ],
)
def test_how_much_room_there_is(doctor, database, monkeypatch, free, size, level, said):
    if size:
        os.truncate(database, size)  # a file with a hole, which takes no room here
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: usage(0, 0, free))
    found = one(doctor(), "disk_space")
    assert (found[0], said in found[1]) == (level, True)


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/music /mnt/music nfs4 rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
/dev/vdb /mnt/music/local xfs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
overlay /over overlay rw 0 0
server:/x /over nfs rw 0 0
host /mnt/host 9p rw 0 0
tmpfs /mnt/musical tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind", "is_network"),
    [
        ("/config", "ext4", False),
        ("/mnt/music/here", "nfs4", True),
        ("/mnt/my share", "cifs", True),
        ("/mnt/music/local/x", "xfs", False),
        ("/mnt/ssh", "fuse.sshfs", True),
        ("/over", "nfs", True),
        ("/mnt/host/a", "9p", True),
        ("/mnt/musical", "tmpfs", False),
    ],
)
def test_which_file_systems_are_those_of_a_network(doctor, database, tmp_path, monkeypatch, folder, kind, is_network):
    assert kind_of(Path(folder), MOUNTS) == kind
    mounts = tmp_path / "mounts"
    mounts.write_text(f"x / ext4 rw 0 0\nx {database.parent} {kind} rw 0 0\n")
    monkeypatch.setattr(disk, "_MOUNTS", mounts)
    level, said = one(doctor(), "file_system")
    assert (level, kind in said) == ("must" if is_network else "ok", True)


def test_a_clock_that_is_behind_the_file_is_told(doctor, database):
    ahead = time.time() + 30
    os.utime(database, (ahead, ahead))
    assert one(doctor(), "clock")[0] == "ok"
    os.utime(database, (ahead + 3600, ahead + 3600))
    level, said = one(doctor(), "clock")
    assert (level, "the file was written at" in said, "timedatectl" in said) == ("note", True, True)


def test_a_clock_that_was_never_set_is_told(doctor, database, monkeypatch):
    monkeypatch.setattr(clock, "_EARLIEST", datetime.now(UTC) + timedelta(days=1))
    level, said = one(doctor(), "clock")
    assert (level, "long past" in said) == ("note", True)


def test_what_stopped_migrations_and_backups_have_left_is_told(doctor, database, tmp_path):
    old, new = (tmp_path / "backups" / f"soulspot.20260101T000000.000000Z.db.0123456{n}.unfinished" for n in (7, 8))
    of_migration = database.with_name("soulspot.before-migration.abc.20260101T000000Z.db.01234567.unfinished")
    for left in (old, new, of_migration):
        left.touch()
    for left in (old, of_migration):
        os.utime(left, (time.time() - 90_000,) * 2)
    change(
        database,
        "CREATE TABLE _soulspot_rebuild_x (a TEXT) STRICT",
        "CREATE TABLE soulspot_db_progress (a TEXT) STRICT",
    )
    rebuild, progress, files = doctor()["leftovers"]
    assert (rebuild["level"], "_soulspot_rebuild_x" in rebuild["message"]) == ("must", True)
    assert (progress["level"], "soulspot-db migrate" in progress["resolution"]) == ("must", True)
    assert files["level"] == "note"
    assert [str(left) in files["message"] for left in (old, new, of_migration)] == [True, False, True]


def test_how_old_the_newest_backup_is(doctor, cli, database, tmp_path, monkeypatch):
    folder = tmp_path / "backups"
    (copy,) = folder.iterdir()
    copy.rename(
        folder / backup_named(datetime.now(UTC) - timedelta(days=8))
    )  # the time of the file may be that of a copy
    level, said = one(doctor(), "backup")
    assert (level, "older than 7 days" in said, "soulspot-db backup" in said) == ("note", True, True)
    assert cli("backup", folder).code == 0
    assert one(doctor(), "backup")[0] == "ok"
    for made in folder.iterdir():
        made.unlink()
    assert one(doctor(), "backup") == (
        "note",
        f"there is none\n1. Have it run every night: soulspot-db backup {folder} --keep 7",
    )
    of_migration = database.with_name("soulspot.before-migration.none.20260101T000000Z.db")
    of_migration.touch()  # no sign that a backup is made every night, and on the disk of the database
    assert one(doctor(), "backup")[1].startswith("there is none")
    folder.rmdir()
    level, said = one(doctor(), "backup")
    assert (level, f"mkdir -p {folder}" in said) == ("must", True)
    monkeypatch.delenv("DATABASE_BACKUP_PATH")
    level, said = one(doctor(), "backup")
    assert (level, "DATABASE_BACKUP_PATH is unset" in said) == ("note", True)
    assert "before-migration" in one(doctor(), "backup")[1]


def test_encrypted_fields_need_a_key(doctor, database, monkeypatch):
    monkeypatch.delenv("ENCRYPTION_KEYS")
    level, said = one(doctor(), "encryption_keys")
    assert (level, "ENCRYPTION_KEYS is not set" in said, "soulspot-db keys new" in said) == ("must", True, True)


@pytest.mark.parametrize(
    ("text", "mode", "level"),
    [
        ("DATABASE_PASSWORD=secret\n", 0o644, "note"),
        ("export encryption_keys = 'secret'\n", 0o604, "note"),
        ("DATABASE_PASSWORD=secret\n", 0o640, "ok"),
        ("DATABASE_PASSWORD=\n# CACHE_PASSWORD=x\nDATABASE_CACHE_TTL=60\n", 0o644, "ok"),
    ],
)
def test_secrets_in_an_env_file_that_everybody_can_read(doctor, database, monkeypatch, text, mode, level):
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        Path(name, ".env").write_text(text)
        Path(name, ".env").chmod(mode)
        monkeypatch.chdir(name)
        found = one(doctor(), "env_file")
        monkeypatch.chdir("/")
    assert found[0] == level
    assert "secret\n" not in found[1].partition("\n")[2]
    assert level == "ok" or f"chmod 600 {name}/.env" in found[1]


def test_a_cache_that_is_off_is_a_note(doctor, database, monkeypatch):
    monkeypatch.setenv("DATABASE_CACHE_MAX_SIZE", "0")
    assert one(doctor(), "cache")[0] == "note"
