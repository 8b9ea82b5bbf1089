"""`soulspot-db keys new` and `keys rotate`, as the person who runs SoulSpot types them."""

import asyncio
import os
import sqlite3
from contextlib import closing

import pytest
from projects import generated
from soulspot_db import DatabaseSettings
from soulspot_db.migrations.runner import migrate
from vaults import is_token, new_key

ACCOUNT = """
fields:
  id:   {type: string, primary_key: true}
  word: {type: text, encrypted: true}
  seed: {type: bytes, encrypted: true, nullable: true}
"""
SONG = "fields: {id: {type: uuid, primary_key: true}}"


@pytest.fixture
def project(tmp_path):
    """A project whose database has two rows that are plain."""
    root = generated(tmp_path / "project", {"vault/account.yaml": ACCOUNT, "vault/song.yaml": SONG}, package="my_vault")
    settings = DatabaseSettings(database_path=root / "vault.db", _env_file=None)
    asyncio.run(migrate(settings, root / "migrations"))
    (root / ".env").write_text("DATABASE=vault.db\n")
    ask(root, "INSERT INTO vault_accounts VALUES ('a', 'one', x'01'), ('b', 'two', NULL)")
    return root


def ask(root, sql):
    with closing(sqlite3.connect(root / "vault.db", isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def rotate(program, project):
    def call(*arguments, keys=None, cwd=project):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE")}
        environment |= {} if keys is None else {"ENCRYPTION_KEYS": ",".join(keys)}
        return program("keys", "rotate", *arguments, cwd=cwd, env=environment)

    return call


def test_new_prints_a_key_alone_on_stdout_and_another_each_time(program, tmp_path):
    one, two = program("keys", "new", cwd=tmp_path), program("keys", "new", cwd=tmp_path)
    assert one.code == two.code == 0
    assert one.out != two.out
    key = one.out.removesuffix("\n")
    assert DatabaseSettings(encryption_keys=key, _env_file=None).encryption_keys[0].get_secret_value() == key
    assert "ENCRYPTION_KEYS" in one.err
    assert key not in one.err


def test_rotate_encrypts_what_is_plain_then_what_is_of_an_older_key(rotate, project):
    old, new = new_key(), new_key()
    first = rotate(keys=[old])
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines() == [
        "reading account: 2 rows",
        "encrypting account: 2 rows",
        "account: 0 values of older keys and 3 plain encrypted anew",
        "plain values may be left in free pages and in backups: https://docs.soulspot.app/howto/encryption tells more",
        "every encrypted value in vault.db is of the first key",
    ]
    rows = ask(project, "SELECT word, seed FROM vault_accounts ORDER BY id")
    assert [is_token(value) for row in rows for value in row] == [True, True, True, False]
    second = rotate(keys=[new, old], cwd=project / "schemas" / "vault")
    assert second.code == 0
    assert "account: 3 values of older keys and 0 plain encrypted anew" in second.out
    assert rotate(keys=[new]).code == 0


def test_rotate_with_a_wrong_key_names_the_rows_writes_nothing_and_exits_with_1(rotate, project):
    assert rotate(keys=[new_key()]).code == 0
    rows = ask(project, "SELECT * FROM vault_accounts")
    ask(project, "INSERT INTO vault_accounts VALUES ('c', 'plain', NULL)")
    wrong = rotate(keys=[new_key()])
    assert wrong.code == 1
    assert "opens 3 values: word of account a; seed of account a; word of account b" in wrong.err
    assert "Nothing was written." in wrong.err
    assert ask(project, "SELECT * FROM vault_accounts WHERE id < 'c'") == rows
    assert ask(project, "SELECT word FROM vault_accounts WHERE id = 'c'") == [("plain",)]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (None, "account has encrypted fields, and ENCRYPTION_KEYS is not set"),
        (["x"], "ENCRYPTION_KEYS: number 1 is no key"),
    ],
)
def test_rotate_without_a_key_says_how_to_make_one(rotate, keys, told):
    outcome = rotate(keys=keys)
    assert outcome.code == 1
    assert told in outcome.err
    assert "soulspot-db keys new" in outcome.err


def test_rotate_refuses_a_database_that_is_behind(rotate, project):
    (project / "vault.db").unlink()
    outcome = rotate(keys=[new_key()])
    assert outcome.code == 1
    assert "DATABASE_MIGRATION_REQUIRED" in outcome.err


def test_rotate_takes_the_package_by_name_and_says_what_it_cannot_import(rotate):
    outcome = rotate("--package", "my_valut", keys=[new_key()])
    assert outcome.code == 1
    assert "the package my_valut cannot be imported" in outcome.err
    assert "Traceback" not in outcome.err


def test_rotate_says_where_no_field_is_encrypted(program, tmp_path):
    root = generated(tmp_path / "plain", {"vault/song.yaml": SONG}, package="plain_songs")
    settings = DatabaseSettings(database_path=root / "vault.db", _env_file=None)
    asyncio.run(migrate(settings, root / "migrations"))
    environment = {**os.environ, "DATABASE": str(root / "vault.db")}
    outcome = program("keys", "rotate", cwd=root, env=environment)
    assert (outcome.code, outcome.out) == (0, "no field is encrypted\n")
