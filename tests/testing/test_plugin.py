"""The plugin as other projects use it: installed, and therefore there."""

import os
import subprocess
import sys
import textwrap
from importlib import metadata

import pytest
from soulspot_db.testing.template import settings_for_tests

# A project without generated code; its tables are made by the tests.
CONFTEST = """
import pytest
from soulspot_db import EntityRegistry, EntitySchema

class TrackSchema(EntitySchema):
    entity_type = "track"
    table_name = "tracks"
    fields = {"id": {"type": "uuid", "primary_key": True}, "title": {"type": "string", "unique": True}}

EntityRegistry.register("track", TrackSchema)
"""
TESTS = """
import pytest

{mark}

@pytest.mark.parametrize("number", range(4))
async def test_a_database_of_its_own(number, db, events, factories):
    await db.create_table("track")
    assert await db.count("track") == 0
    await db.save("track", {{"title": "the same in every test"}})
    assert (await events.next("database.track.created")).data["entity_type"] == "track"
    assert await factories.create("track")
"""
STRICT = TESTS.format(mark="pytestmark = pytest.mark.asyncio")
AUTO = TESTS.format(mark="")
# Plugins of others that such a run finds here, has no use for, and takes longer to import than to do all the rest.
WITHOUT = [part for name in ("cacheprovider", "anyio", "hypothesispytest") for part in ("-p", f"no:{name}")]


@pytest.fixture
def run(pytester):
    """Runs tests of another project in a process of their own."""

    def run_pytest(tests, *options, conftest=CONFTEST):
        pytester.makeconftest(conftest)
        pytester.makepyfile(tests)
        pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n")
        return pytester.runpytest_subprocess(*WITHOUT, *options)

    return run_pytest


def test_it_is_found_by_its_entry_point():
    entries = {entry.value for entry in metadata.entry_points(group="pytest11", name="soulspot_db")}
    assert entries == {"soulspot_db.testing.plugin"}


@pytest.mark.parametrize(
    ("tests", "options"),
    [(AUTO, ["--asyncio-mode=auto"]), (STRICT, ["--asyncio-mode=strict"]), (AUTO, ["--asyncio-mode=auto", "-n", "2"])],
    ids=["auto", "strict", "xdist"],
)
def test_every_test_has_its_own_database_events_and_factories(run, tests, options):
    run(tests, *options).assert_outcomes(passed=4)


def test_the_tables_of_a_generated_package_are_there(run):
    tests = """
    async def test_it(db, factories):
        assert await db.count("playlist") == 0
        assert await factories.create("playlist")
    """
    run(tests, "--asyncio-mode=auto", conftest="import soulspot_db_entities").assert_outcomes(passed=1)


def test_a_generated_package_that_a_test_imports_late_is_migrated_then(run):
    tests = """
    import pytest

    async def test_without_it(db):
        pass

    @pytest.fixture
    def late():
        import soulspot_db_entities

    async def test_with_it(late, db):
        assert await db.count("playlist") == 0
    """
    run(tests, "--asyncio-mode=auto", conftest="").assert_outcomes(passed=2)


def test_settings_and_the_file_that_is_copied_can_be_overridden(run):
    more = """
    import asyncio
    from soulspot_db import Database
    from soulspot_db.testing.template import settings_for_tests

    @pytest.fixture
    def database_settings(database_settings):
        return database_settings.model_copy(update={"cache_max_size": 0})

    @pytest.fixture(scope="session")
    def migrated_database(migrated_database):
        async def fill():
            async with Database(settings_for_tests(migrated_database)) as db:
                await db.create_table("track")
                await db.save("track", {"title": "of every test"})

        asyncio.run(fill())
        return migrated_database
    """
    tests = """
    async def test_it(db):
        assert db.settings.cache_max_size == 0
        assert [track["title"] for track in await db.query("track")] == ["of every test"]
    """
    run(tests, "--asyncio-mode=auto", conftest=CONFTEST + textwrap.dedent(more)).assert_outcomes(passed=1)


def test_factories_without_polyfactory_say_what_to_install(run):
    tests = """
    async def test_it(factories):
        pass
    """
    result = run(tests, "--asyncio-mode=auto", conftest="import sys; sys.modules['polyfactory'] = None")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*`factories` needs more (*polyfactory*): pip install 'soulspot-db?testing?'*")


def test_the_environment_of_the_developer_changes_no_test(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("DATABASE=/music/real.db\nDATABASE_CACHE_MAX_SIZE=1\n", "utf-8")
    for name, value in {"DATABASE": "host:5432/real", "CACHE": "host:6379/0", "DATABASE_POOL_TIMEOUT": "1"}.items():
        monkeypatch.setenv(name, value)
    settings = settings_for_tests(tmp_path / "soulspot.db")
    assert (settings.database_type, settings.database_path) == ("sqlite", tmp_path / "soulspot.db")
    assert (settings.redis, settings.cache_max_size, settings.pool_timeout) == (None, 1000, 5)


@pytest.mark.parametrize("missing", ["nothing", "pytest_asyncio", "polyfactory"])
def test_loading_it_costs_a_run_without_databases_next_to_nothing(missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None; import soulspot_db.testing.plugin;"
        "print([name for name in ('sqlalchemy', 'pydantic', 'alembic', 'polyfactory', 'faker') if sys.modules.get(name)])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"
