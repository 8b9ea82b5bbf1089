"""The commands as they are typed: in this process where that is enough, in one of their own where streams matter."""

import asyncio
import os
import subprocess
import sys
from pkgutil import iter_modules

import pytest
from click.testing import CliRunner
from doctor_reports import MIGRATIONS
from forking import forking
from projects import Outcome
from servers import postgres_server
from soulspot_db import DatabaseSettings
from soulspot_db import cli as cli_package
from soulspot_db.cli import main
from soulspot_db.migrations.runner import migrate
from soulspot_db_codegen import commands


@pytest.fixture
def cli():
    """`soulspot-db ARGUMENTS` in this process."""

    def call(*arguments):
        result = CliRunner().invoke(main, [str(item) for item in arguments], "soulspot-db", catch_exceptions=False)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return call


MAIN = "from soulspot_db.cli import main; main(prog_name='soulspot-db')"
# All that commands import, at the start or when they get to it; not generated packages, which register entities.
IMPORTED = (
    *("asyncpg", "concurrent.futures.thread", "getpass", "stringprep"),
    *(found.name for each in (cli_package, commands) for found in iter_modules(each.__path__, f"{each.__name__}.")),
    *("soulspot_db.engine.sqlite.console", "soulspot_db.engine.sqlite.replace"),
    *("soulspot_db.migrations.environment", "soulspot_db.migrations.steps"),
)
# What is read when Python starts: with another value of these a command is started anew.
AT_THE_START = ("LANG", "LC_", "LD_", "PYTHON", "TZ")


def at_the_start(environment):
    return {name: value for name, value in environment.items() if name.startswith(AT_THE_START)}


@pytest.fixture(scope="session")
def start():
    """Starts programs that have the imports of commands done, and the part of the environment that they have for good."""
    with forking(*IMPORTED) as programs:
        yield programs, at_the_start(os.environ)


@pytest.fixture
def program(start):
    """`soulspot-db ARGUMENTS` in a process of its own."""
    programs, inherited = start

    def call(*arguments, cwd=None, env=os.environ, given=""):
        if at_the_start(env) == inherited:
            done = programs.run(MAIN, *arguments, cwd=cwd, env=env, given=given)
            return Outcome(done.returncode, done.out, done.err)
        command = [sys.executable, "-c", MAIN, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=cwd, env=env, input=given, capture_output=True, text=True, check=False, timeout=60
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """SoulSpot's own tables, empty; to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "soulspot.db"
    asyncio.run(migrate(DatabaseSettings(database_path=path), MIGRATIONS))
    return path


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server for the tests of one module."""
    with postgres_server() as server:
        yield server
