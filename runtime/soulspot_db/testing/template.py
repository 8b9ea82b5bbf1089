"""The database that tests get copies of, and the settings that make opening a copy quick."""

import asyncio
import base64
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from soulspot_db.database import Database
from soulspot_db.registry import EntityRegistry
from soulspot_db.settings import DatabaseSettings

__all__ = ["CopiedDatabase", "make_template", "settings_for_tests"]

# Known to everybody, and good for values that a test has made up.
_KEY = SecretStr(base64.urlsafe_b64encode(bytes(32)).decode())
_heads: dict[Path, Mapping[str, str]] = {}
"""The revisions of the templates made in this session."""


class _Settings(DatabaseSettings):
    """Settings that neither the environment nor `.env` changes: a test must not find the developer's database."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - named so by Pydantic
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings_for_tests(path: Path) -> DatabaseSettings:
    """Settings for one test's database at `path`.

    Few connections, because each costs a thread; no waiting for the disk at each commit, because nothing needs to survive;
    little patience, because a test that waits for a lock has made a mistake; a key, so that encrypted fields work. `auto_migrate`, because a generated
    package may be imported after the template was made.
    """
    return _settings().model_copy(update={"database_path": path})


@cache  # reading settings costs a tenth of opening a database
def _settings() -> DatabaseSettings:
    return _Settings(
        connection_pool_size=2, synchronous="NORMAL", pool_timeout=5, auto_migrate=True, encryption_keys=(_KEY,)
    )


class CopiedDatabase(Database):
    """A copy of a template, whose revision is known: looking it up again would be a quarter of opening the copy.

    Args:
        settings: where the copy is.
        template: what it is a copy of.
    """

    def __init__(self, settings: DatabaseSettings, template: Path) -> None:
        super().__init__(settings)
        self._found = _heads.get(template)

    async def _require_heads(self, heads: Mapping[str, str]) -> None:
        if heads != self._found:
            await super()._require_heads(heads)


def make_template(path: Path) -> Path:
    """Make an empty database at `path` with the tables of the registered generated packages; returns `path`.

    Raises:
        ConfigurationError: a package's migrations are not found.
        MigrationError: a revision failed.
    """
    # In a thread of its own, because this one may have an event loop already.
    with ThreadPoolExecutor(max_workers=1) as thread:
        _heads[path] = thread.submit(asyncio.run, _make(path)).result()
    return path


async def _make(path: Path) -> Mapping[str, str]:
    settings = settings_for_tests(path)
    heads = EntityRegistry.migration_heads()
    if heads:
        from soulspot_db.migrations.locate import migrations_of  # noqa: PLC0415 - imports Alembic
        from soulspot_db.migrations.runner import migrate  # noqa: PLC0415

        for package in heads:
            await migrate(settings, migrations_of(package))
    # Opened once, so that the copies are in WAL mode already; closed, so that all of it is in the one file.
    async with Database(settings):
        return heads
