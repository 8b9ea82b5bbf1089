"""A database without a fault, and doctor for it; server and Redis have their own."""

import shutil
from datetime import UTC, datetime

import pytest
from doctor_reports import KEY, MIGRATIONS, backup_named, report


@pytest.fixture
def database(migrated_file, tmp_path, monkeypatch):
    """A database without a fault, in a folder that is no project, with a backup in `backups`."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config"
    backups = tmp_path / "backups"
    folder.mkdir()
    backups.mkdir()
    shutil.copy(migrated_file, folder / "soulspot.db")
    shutil.copy(migrated_file, backups / backup_named(datetime.now(UTC)))
    values = {"DATABASE": folder / "soulspot.db", "DATABASE_BACKUP_PATH": backups, "ENCRYPTION_KEYS": KEY}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("DATABASE_POOL_TIMEOUT", "0.2")
    return folder / "soulspot.db"


@pytest.fixture
def doctor(cli):
    """What it finds, by the name of the check; that the exit code fits is looked at each time."""

    def call(migrations=MIGRATIONS):
        return report(cli, *(["--migrations", migrations] if migrations else []))

    return call
