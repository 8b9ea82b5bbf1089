"""A generated project that can be used: imported under a registry of its own, its database migrated and open."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from soulspot_db import Database, DatabaseSettings, EntityRegistry
from soulspot_db.migrations.runner import migrate
from vaults import new_key


@dataclass(frozen=True)
class Project:
    """One project's package, imported, and where its migrations and its database are."""

    package: str
    migrations: Path
    database: Path
    key: str

    def module(self, name: str) -> ModuleType:
        """A module of the package, `media.album`."""
        return importlib.import_module(f"{self.package}.{name}")

    def modules(self) -> list[str]:
        """Every module of the package."""
        root = Path(importlib.import_module(self.package).__path__[0])
        paths = (path.relative_to(root).with_suffix("") for path in root.rglob("*.py"))
        return sorted(".".join(part for part in path.parts if part != "__init__") for path in paths)

    @property
    def settings(self) -> DatabaseSettings:
        return DatabaseSettings(
            database_path=self.database, connection_pool_size=2, synchronous="NORMAL", encryption_keys=[self.key]
        )

    async def migrate(self) -> Any:
        return await migrate(self.settings, self.migrations)


@pytest.fixture
def use(monkeypatch, tmp_path):
    """`use(root, package)` imports what was generated in `root`; forgotten at the end."""
    used: list[str] = []

    def import_project(root: Path, package: str = "entities") -> Project:
        folder = root if (root / "generated").is_dir() else root / "expected"
        monkeypatch.syspath_prepend(str(folder / "generated"))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)  # golden trees stay as they are
        used.append(package)
        importlib.import_module(package)
        return Project(package, folder / "migrations", tmp_path / "soulspot.db", new_key())

    with EntityRegistry.isolated():
        yield import_project
    for name in [name for name in sys.modules if name.partition(".")[0] in used]:
        del sys.modules[name]


@pytest.fixture
async def open_database():
    """Opens the migrated database of a project, and closes it at the end."""
    opened: list[Database] = []

    async def open_project(project: Project) -> Database:
        await project.migrate()
        db = Database(project.settings)
        opened.append(db)
        return await db.open()

    yield open_project
    for db in opened:
        await db.close()
