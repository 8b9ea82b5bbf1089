"""Settings: every variable, every default, and errors that show the right form."""

from pathlib import Path

import pytest
from soulspot_db import ConfigurationError, ConnectionFailedError, Database, DatabaseSettings

DEFAULTS = {
    "database_path": Path("/config/soulspot.db"),
    "database_type": "sqlite",
    "connection_pool_size": 10,
    "max_overflow": 20,
    "pool_timeout": 30,
    "query_timeout": 30,
    "auto_migrate": False,
    "cache_ttl": 300,
    "cache_max_size": 1000,
    "slow_query_threshold": 1,
    "slow_transaction_threshold": 5,
    "enable_query_logging": True,
    "query_log_format": "text",
    "log_parameters": False,
    "backup_path": None,
    "development": False,
    "redis": None,
    "redis_tls": False,
    "redis_prefix": "soulspot",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_setting_has_its_documented_default(name):
    assert getattr(DatabaseSettings(), name) == DEFAULTS[name]


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("DATABASE_PATH", "/data/x.db", "database_path", Path("/data/x.db")),
        ("DATABASE_CONNECTION_POOL_SIZE", "4", "connection_pool_size", 4),
        ("DATABASE_MAX_OVERFLOW", "3", "max_overflow", 3),
        ("DATABASE_POOL_TIMEOUT", "2.5", "pool_timeout", 2.5),
        ("DATABASE_QUERY_TIMEOUT", "7", "query_timeout", 7),
        ("DATABASE_SYNCHRONOUS", "NORMAL", "synchronous", "NORMAL"),
        ("DATABASE_AUTO_MIGRATE", "true", "auto_migrate", True),
        ("DATABASE_CACHE_TTL", "60", "cache_ttl", 60),
        ("DATABASE_CACHE_MAX_SIZE", "0", "cache_max_size", 0),
        ("DATABASE_SLOW_QUERY_THRESHOLD", "0.2", "slow_query_threshold", 0.2),
        ("DATABASE_SLOW_TRANSACTION_THRESHOLD", "7.5", "slow_transaction_threshold", 7.5),
        ("DATABASE_ENABLE_QUERY_LOGGING", "false", "enable_query_logging", False),
        ("DATABASE_QUERY_LOG_FORMAT", "json", "query_log_format", "json"),
        ("DATABASE_LOG_PARAMETERS", "true", "log_parameters", True),
        ("DATABASE_BACKUP_PATH", "/backups", "backup_path", Path("/backups")),
        ("SOULSPOT_DB_DEV", "1", "development", True),
        ("DATABASE_USER", "soul", "user", "soul"),
        ("CACHE", "redis:6379/0", "redis", "redis:6379/0"),
        ("CACHE_TLS", "true", "redis_tls", True),
        ("CACHE_PREFIX", "staging", "redis_prefix", "staging"),
        ("DATABASE", "/config/other.db", "database_path", Path("/config/other.db")),
        ("database", "/config/lower.db", "database_path", Path("/config/lower.db")),
    ],
)
def test_every_setting_is_read_from_its_variable(monkeypatch, variable, text, name, value):
    monkeypatch.setenv(variable, text)
    assert getattr(DatabaseSettings(), name) == value


def test_settings_are_read_from_an_env_file_among_other_variables(tmp_path):
    (tmp_path / ".env").write_text("DATABASE=/config/from-file.db\nDATABASE_QUERY_TIMEOUT=3\nSPOTIFY_KEY=abc\n")
    found = DatabaseSettings()
    assert (found.database_path, found.query_timeout) == (Path("/config/from-file.db"), 3)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("db:5432/soulspot", (["db"], [5432], "soulspot")),
        ("10.0.0.1:5433/soulspot", (["10.0.0.1"], [5433], "soulspot")),
        ("a:5432,b:5433/soulspot", (["a", "b"], [5432, 5433], "soulspot")),
    ],
)
def test_a_host_a_port_and_a_name_mean_postgresql(text, servers):
    found = DatabaseSettings(database=text)
    assert (found.database_type, found.servers, found.address) == ("postgresql", servers, text)


def test_a_leading_slash_is_accepted_for_postgresql_where_the_type_says_so():
    found = DatabaseSettings(database="/db:5432/soulspot", database_type="postgresql")
    assert found.servers == (["db"], [5432], "soulspot")
    assert found.database_url == "postgresql+asyncpg:///soulspot?host=db&port=5432"


def test_the_folder_of_a_socket_is_accepted_for_postgresql_where_the_type_says_so():
    found = DatabaseSettings(database="/run/postgresql/soulspot", database_type="postgresql")
    assert found.servers == (["/run/postgresql"], [5432], "soulspot")


@pytest.mark.parametrize("text", ["soulspot.db", "./data/soulspot.db", "/db:5432/soulspot", "odd:name/soulspot.db"])
def test_everything_else_is_the_path_of_a_sqlite_file(text):
    found = DatabaseSettings(database=text)
    assert (found.database_type, found.database_path) == ("sqlite", Path(text))


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:////config/soulspot.db", "postgresql+asyncpg://u:geheim@h/db", "SQLITE:///x.db"]
)
@pytest.mark.parametrize("name", ["database", "database_path"])
def test_a_url_is_refused_with_the_new_form_and_without_its_password(url, name):
    with pytest.raises(ConfigurationError) as caught:
        DatabaseSettings(**{name: url})
    assert "DATABASE=/config/soulspot.db" in caught.value.message
    assert "DATABASE=host:5432/name" in caught.value.message
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"connection_pool_size": 0},
        {"pool_timeout": 0},
        {"pool_timeout": float("inf")},
        {"query_timeout": float("nan")},
        {"query_timeout": -1},
        {"cache_max_size": -1},
        {"database_type": "mysql"},
        {"synchronous": "OFF"},
        {"database": "  "},
        {"database_path": ":memory:"},
        {"database_path": "a\0b"},
        {"database_type": "postgresql"},
        {"database_pth": "/config/soulspot.db"},
    ],
)
def test_a_setting_that_cannot_mean_anything_is_refused(values):
    with pytest.raises(ConfigurationError) as caught:
        DatabaseSettings(**values)
    assert caught.value.code == "DATABASE_CONFIGURATION_INVALID"
    assert caught.value.resolution


def test_a_password_is_in_no_text_of_the_settings(monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "geheim")
    monkeypatch.setenv("DATABASE", "db:5432/soulspot")
    found = DatabaseSettings()
    assert found.password is not None
    assert found.password.get_secret_value() == "geheim"
    assert "geheim" not in f"{found!r} {found} {found.model_dump()} {found.database_url}"


async def test_a_server_that_is_not_there_is_named_and_its_password_is_not():
    db = Database(DatabaseSettings(database="127.0.0.1:1/soulspot", user="me", password="geheim"))
    with pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1:1/soulspot") as caught:
        await db.open()
    assert "geheim" not in f"{caught.value} {caught.value.to_dict()} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DATABASE_POOL_TIMEOUT", "-1"), ("DATABASE_CACHE_MAX_SIZE", "many"), ("DATABASE_TYPE", "oracle")],
)
def test_an_error_names_the_variable_that_is_wrong(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable}: "):
        DatabaseSettings(_env_file=None)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:6379/0", ("localhost", 6379, 0)),
        ("10.0.0.1:6380/15", ("10.0.0.1", 6380, 15)),
        ("[::1]:6379/2", ("::1", 6379, 2)),
    ],
)
def test_a_host_a_port_and_a_number_mean_a_redis(text, address):
    assert DatabaseSettings(redis=text).cache_address == address


@pytest.mark.parametrize(
    "text",
    [
        "localhost",
        "localhost:6379",
        "localhost/0",
        "localhost:0/0",
        "localhost:70000/0",
        "::1:6379/0",
        "[::1:6379/0",
        "redis://localhost:6379/0",
        "user:geheim@localhost:6379/0",
        "a:6379,b:6379/0",
        "a" * 70 + ":6379/0",
    ],
)
def test_what_leads_to_no_redis_is_refused_with_the_right_form_and_without_its_password(monkeypatch, text):
    monkeypatch.setenv("CACHE", text)
    with pytest.raises(ConfigurationError, match=r"CACHE: .*CACHE=") as caught:
        DatabaseSettings()
    assert "geheim" not in str(caught.value)


def test_the_password_of_redis_is_in_no_text_of_the_settings(monkeypatch):
    monkeypatch.setenv("CACHE_PASSWORD", "geheim")
    found = DatabaseSettings()
    assert found.redis_password.get_secret_value() == "geheim"
    assert "geheim" not in f"{found!r} {found} {found.model_dump()}"


@pytest.mark.parametrize(("variable", "value"), [("CACHE_PREFIX", "a b"), ("CACHE_TLS", "perhaps")])
def test_an_error_names_the_variable_of_redis_that_is_wrong(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable}: "):
        DatabaseSettings()


def test_an_empty_cache_switches_off_what_the_env_file_says(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("CACHE=redis:6379/0\n")
    assert DatabaseSettings().redis == "redis:6379/0"
    monkeypatch.setenv("CACHE", "")
    assert DatabaseSettings().redis is None
