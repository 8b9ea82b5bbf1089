"""Forms of DATABASE that mean PostgreSQL, and those that are refused instead of becoming a file of that name."""

import socket

import pytest
import support
from servers import postgres_server
from soulspot_db import ConfigurationError, Database, DatabaseSettings
from sqlalchemy import text


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("address", "servers"),
    [
        ("a,b:5432/soulspot", (["a", "b"], [5432, 5432], "soulspot")),
        ("[::1]:5432/soulspot", (["::1"], [5432], "soulspot")),
        ("[fe80::1%eth0]:5432,db:5433/soulspot", (["fe80::1%eth0", "db"], [5432, 5433], "soulspot")),
        ("münchen.example:5432/soulspot", (["münchen.example"], [5432], "soulspot")),
        ("my_db:65535/soulspot", (["my_db"], [65535], "soulspot")),
    ],
)
def test_several_hosts_with_one_port_and_ipv6_in_brackets_mean_postgresql(address, servers):
    found = DatabaseSettings(database=address)
    assert (found.database_type, found.servers, found.address) == ("postgresql", servers, address)


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("127.0.0.1:99999/x", "a port is a number from 1 to 65535"),
        ("127.0.0.1:0/x", "a port is a number from 1 to 65535"),
        (f"127.0.0.1:{'9' * 5000}/x", "a port is a number from 1 to 65535"),
        ("a:5432,b/x", "h1:5432,h2:5432/name"),
        ("a,b:5432,c:5432/x", "h1:5432,h2:5432/name"),
        ("münchen..de:5432/x", "no host can have"),
        (".:5432/x", "no host can have"),
        (f"{'a' * 64}:5432/x", "no host can have"),
        ("[::1::]:5432/x", "no host can have"),
        ("::1:5432/x", "[::1]:5432/name"),
        (":5432/x", "host:5432/name"),
        ("127.0.0.1:5432", "the name of the database is missing"),
        ("127.0.0.1:5432/", "the name of the database is missing"),
        ("127.0.0.1:5432/a/b", "no slash and no blank"),
        ("127.0.0.1:5432/my name", "no slash and no blank"),
        ("127.0.0.1:5432/x?sslmode=require", "PGSSLMODE"),
        ("postgres@127.0.0.1:5432/x", "DATABASE_USER"),
        ("me:secret@127.0.0.1:5432/x", "DATABASE_PASSWORD"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_with_the_right_form(address, advice, tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        DatabaseSettings(database=address)
    assert advice in raised.value.message
    assert "./" in raised.value.message  # for a file of that name
    assert "secret" not in str(raised.value)
    with pytest.raises(ConfigurationError) as stated:
        DatabaseSettings(database=address, database_type="postgresql")
    assert advice in stated.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_the_name_of_an_address_is_used_where_that_is_said():
    for values in (
        {"database": "./db:5432"},
        {"database": "/data/db:5432"},
        {"database": "db:5432/x", "database_type": "sqlite"},
    ):
        assert DatabaseSettings(**values).database_type == "sqlite"


@pytest.mark.parametrize("value", ["x.db ", " x.db", "~/x.db", "h:5432/x "])
def test_a_path_that_no_shell_has_expanded_or_that_ends_with_a_blank_is_refused(value):
    with pytest.raises(ConfigurationError, match="DATABASE"):
        DatabaseSettings(database=value)


@pytest.mark.parametrize("name", ["user", "password"])
@pytest.mark.parametrize("character", ["\0", "\udcff"])
def test_characters_that_no_server_takes_are_refused(name, character):
    with pytest.raises(ConfigurationError, match=f"DATABASE_{name.upper()}: "):
        DatabaseSettings(database="h:5432/x", **{name: f"a{character}"})
    for address in (f"h{character}:5432/x", f"h:5432/{character}x"):
        with pytest.raises(ConfigurationError):
            DatabaseSettings(database=address)


@pytest.mark.parametrize(
    ("address", "folder", "port"),
    [
        ("/run/pg/soulspot", "/run/pg", 5432),
        ("/run/pg:5433/soulspot", "/run/pg", 5433),
        ("/./tmp:5433/x", "/./tmp", 5433),
    ],
)
def test_the_folder_of_a_socket_is_shown_as_it_was_given(address, folder, port):
    found = DatabaseSettings(database=address, database_type="postgresql")
    assert found.servers[:2] == ([folder], [port])
    assert found.address == address


@pytest.fixture(scope="module")
def server():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with postgres_server(fsync="off", listen_addresses="127.0.0.1,::1") as started:
        yield started


@pytest.mark.parametrize(
    "form", ["[::1]:{port}/postgres", "[::1],127.0.0.1:{port}/postgres", "{folder}:{port}/postgres"]
)
async def test_a_database_opens_and_sqlalchemy_reaches_it_by_ipv6_by_several_hosts_and_by_a_socket(server, form):
    address = form.format(port=server.address.port, folder=server.sockets)
    settings = support.settings(database=address, database_type="postgresql", user="postgres", pool_timeout=5)
    async with Database(settings) as db:
        await db.create_table("counter")
        await db.save("counter", {"name": form})
        engine = db.sqlalchemy_engine()
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM counters"))).scalar_one()
        await engine.dispose()
