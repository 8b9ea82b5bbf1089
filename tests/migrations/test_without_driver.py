"""Commands on a PostgreSQL address where its driver, an extra, is not installed."""

import sys
from pathlib import Path

import pytest
from soulspot_db import ConfigurationError, Database, DatabaseSettings

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
assert "asyncpg" not in sys.modules
sys.modules["asyncpg"] = None
from soulspot_db.cli import main
main(prog_name="soulspot-db")
"""


@pytest.mark.parametrize(
    "arguments", [("migrate",), ("migrate", "--status"), ("migrate", "--sql"), ("check", "--database")]
)
def test_a_command_without_the_driver_says_what_to_install(programs, arguments):
    run = programs.run(PROGRAM, *arguments, cwd=ROOT, DATABASE="127.0.0.1:1/soulspot")
    assert run.returncode == 1
    assert "[DATABASE_CONFIGURATION_INVALID] the driver for PostgreSQL is not installed" in run.err
    assert "pip install 'soulspot-db[postgresql]'" in run.err
    assert "Traceback" not in run.err


def test_a_database_without_the_driver_says_the_same(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("soulspot_db.engine.postgresql.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'soulspot-db\[postgresql\]'"):
        Database(DatabaseSettings(database="127.0.0.1:1/soulspot", _env_file=None))
