"""Settings that are probably misspelt: an argument is refused with the right name, a variable is told in the log."""

import logging

import pytest
from soulspot_db import ConfigurationError, DatabaseSettings


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "soulspot_db.settings"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("query_timout", "query_timeout"), ("QUERY_TIMOUT", "query_timeout"), ("databse_path", "database_path")],
)
def test_an_unknown_argument_is_refused_with_the_name_that_was_meant(name, meant):
    with pytest.raises(ConfigurationError, match=f"did you mean '{meant}'"):
        DatabaseSettings(**{name: 3})


def test_a_misspelt_variable_is_told_once_with_the_right_name_and_without_its_value(monkeypatch, caplog):
    monkeypatch.setenv("DATABASE_PASWORD", "geheim")
    for _ in range(3):
        DatabaseSettings()
    (line,) = warnings(caplog)
    assert "DATABASE_PASWORD" in line
    assert "DATABASE_PASSWORD?" in line
    assert "geheim" not in line
    assert caplog.records[-1].levelno == logging.WARNING


def test_a_misspelt_variable_in_an_env_file_is_told(tmp_path, caplog):
    (tmp_path / ".env").write_text("database_pool_timout=3\n")
    DatabaseSettings()
    (line,) = warnings(caplog)
    assert "did you mean DATABASE_POOL_TIMEOUT?" in line


@pytest.mark.parametrize(
    "variable",
    ["DATABASE_URL", "DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_DEBUG", "POOL_TIMOUT", "DATABASES"],
)
def test_a_variable_of_another_program_is_not_told(monkeypatch, caplog, variable):
    monkeypatch.setenv(variable, "x")
    DatabaseSettings()
    assert warnings(caplog) == []


def test_variables_that_are_settings_are_not_told(monkeypatch, caplog):
    for variable in ("DATABASE", "DATABASE_PATH", "DATABASE_USER", "database_user", "DATABASE_PASSWORD"):
        monkeypatch.setenv(variable, "x.db")
    DatabaseSettings()
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("CACHE_TTL", "DATABASE_CACHE_TTL"),
        ("CACHE_PASSWRD", "CACHE_PASSWORD"),
        ("CACHE_TSL", "CACHE_TLS"),
        ("CACHE_RECHECK", "DATABASE_CACHE_RECHECK"),
    ],
)
def test_a_misspelt_variable_of_the_cache_is_told_with_the_right_name(monkeypatch, caplog, variable, meant):
    monkeypatch.setenv(variable, "1")
    DatabaseSettings()
    assert f"{variable} is not a setting and has no effect; did you mean {meant}?" in caplog.text


@pytest.mark.parametrize(
    "variable", ["CACHE_DIR", "CACHE_URL", "CACHE_HOST", "CACHE_TYPE", "CACHE_TLS", "CACHE_PREFIX"]
)
def test_a_variable_of_another_program_and_one_that_is_right_are_let_be(monkeypatch, caplog, variable):
    monkeypatch.setenv(variable, "true")
    DatabaseSettings()
    assert variable not in caplog.text
