"""The commands as they are typed: in this process where that is enough, in one of their own where streams matter."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from forked import forking
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


# What is read when Python starts: with another value of these a command is started anew.
AT_THE_START = ("LANG", "LC_", "LD_", "PYTHON", "TZ")


@pytest.fixture(scope="session")
def forks():
    """Starts commands that have their imports done."""
    with forking() as forks:
        yield forks


@pytest.fixture
def program(forks):
    """`soulspot-db ARGUMENTS` in a process of its own."""

    def call(*arguments, cwd=".", env=os.environ, given=""):
        arguments = [str(item) for item in arguments]
        if at_the_start(env) == at_the_start(forks.environment):
            done = forks.run(arguments, cwd=cwd, env=env, given=given)
        else:
            command = [sys.executable, "-c", "from soulspot_db.cli import main; main(prog_name='soulspot-db')"]
            command += arguments
            done = subprocess.run(
                command, cwd=cwd, env=env, input=given, capture_output=True, text=True, check=False, timeout=60
            )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


def at_the_start(environment):
    return {name: value for name, value in environment.items() if name.startswith(AT_THE_START)}


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server for the tests of one module."""
    with postgres_server() as server:
        yield server
