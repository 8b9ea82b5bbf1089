"""The commands as they are typed: in this process where that is enough, in one of their own where streams matter."""

import subprocess
import sys

import pytest
from click.testing import CliRunner
from projects import Outcome
from servers import postgres_server
from soulspot_db.cli import main


@pytest.fixture
def cli():
    """`soulspot-db ARGUMENTS` in this process."""

    def call(*arguments):
        result = CliRunner().invoke(main, [str(item) for item in arguments], "soulspot-db", catch_exceptions=False)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def program():
    """`soulspot-db ARGUMENTS` in a process of its own."""

    def call(*arguments, **options):
        command = [sys.executable, "-c", "from soulspot_db.cli import main; main(prog_name='soulspot-db')"]
        command += [str(item) for item in arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server for the tests of one module."""
    with postgres_server() as server:
        yield server
