"""Encrypted fields: what is written comes back, and nobody who has the database alone can read it."""

import asyncio
import json
import logging

import homes
import pytest
import redis_servers
import vaults
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soulspot_db import (
    ConfigurationError,
    DatabaseError,
    DatabaseSettings,
    DecryptionFailedError,
    EntityRegistry,
    EntitySchema,
    QueryFailedError,
    SchemaInvalidError,
    ValidationFailedError,
)
from soulspot_db.encryption import Cipher, UnreadableError
from soulspot_db.engine.sqlite.copy import copy
from soulspot_db.repositories.repository import Repository
from support import outside
from vaults import SECRET, is_token, new_key, stored

DATABASES = homes.BOTH
DATA = {"token": SECRET, "list": [SECRET, None, 1.5, {"deep": SECRET}]}
ROW = {"name": "a", "word": SECRET, "note": f"the {SECRET} in a text", "data": DATA, "seed": SECRET.encode()}


@pytest.fixture
def key():
    return new_key()


@pytest.fixture
async def db(open_database, key):
    EntityRegistry.register("vault", vaults.VaultSchema)
    db = await open_database(encryption_keys=[key])
    await db.create_table("vault")
    return db


class Vaults(Repository):
    schema = vaults.VaultSchema


async def test_values_come_back_and_are_stored_as_tokens(db):
    id = await db.save("vault", ROW)
    for fresh in (False, True):
        row = await db.get("vault", id, fresh=fresh)
        assert {name: row[name] for name in ROW} == ROW
    ((_, *values),) = stored(db)
    assert all(map(is_token, values))


async def test_null_is_stored_as_null_and_can_be_asked_for(db):
    await db.save("vault", ROW)
    await db.save("vault", {"name": "b", "word": ""})
    assert stored(db)[1][2] is None
    assert is_token(stored(db)[1][1])  # an empty text is no null
    assert [row["name"] for row in await db.query("vault", {"note": None})] == ["b"]
    assert [row["name"] for row in await db.query("vault", {"seed": {"is_not": None}})] == ["a"]
    assert await db.count("vault", {"not": {"note": {"eq": None}}}) == 1
    assert [row["name"] for row in await db.run_query("vault", "noted", {})] == ["a"]
    assert (await db.run_query("vault", "count_notes", {}))["n"] == 1


async def test_queries_in_sql_give_what_was_encrypted(db):
    await db.save("vault", ROW)
    told = {"name": "a", "word": SECRET, "seed": SECRET.encode()}
    assert await db.run_query("vault", "told", {"shouted": "a!"}) == [told]
    (row,) = await db.run_query("vault", "shown")
    assert {name: row[name] for name in ROW} == ROW


async def test_a_query_in_sql_says_what_no_key_opens(db, open_database):
    await db.save("vault", ROW)
    await db.close()
    other = await open_database(encryption_keys=[new_key()])
    with pytest.raises(DecryptionFailedError, match="no key in ENCRYPTION_KEYS opens word"):
        await other.run_query("vault", "told", {"shouted": "a!"})


async def test_every_way_to_write_encrypts(db):
    words = {"one", "two", "three"}
    await db.save_many("vault", [{"name": f"many {word}", "word": word, "note": word} for word in sorted(words)])
    await db.save_stream("vault", ({"name": f"stream {word}", "word": word, "seed": b"s"} for word in sorted(words)))
    await db.upsert("vault", {"name": "many one", "word": "upserted"})
    await db.upsert("vault", {"name": "new", "word": "upserted", "note": "n"})
    await db.get_or_create("vault", {"name": "got", "word": "got"})
    assert await db.update_where("vault", {"name": {"starts_with": "stream"}}, {"word": "where"}) == 3
    assert await db.update_where("vault", {}, {"note": "all"}, all_rows=True, batch_size=2) == 8
    async with db.transaction() as tx:
        await tx.update("vault", (await tx.query("vault", {"name": "got"}))[0]["id"], {"data": [1]})
    assert await db.run_query("vault", "set_word", {"name": "new", "word": "set"}) == 1
    assert await db.run_query("vault", "copy_word", {"name": "new"}) == 1
    assert all(is_token(value) for row in stored(db) for value in row[1:] if value is not None)
    rows = {row["name"]: row for row in await db.query("vault")}
    assert {name: row["word"] for name, row in rows.items()} == {
        "many one": "upserted",
        "many two": "two",
        "many three": "three",
        **{f"stream {word}": "where" for word in words},
        "new": "set",
        "got": "got",
    }
    assert rows["new"]["note"] == "set"
    assert rows["many one"]["note"] == "all"
    assert rows["got"]["data"] == [1]


async def test_named_queries_select_claim_and_merge_encrypted_values(db):
    await db.save("vault", {"name": "b", "word": "second"})
    await db.save("vault", ROW)
    assert await db.run_query("vault", "words", {}) == [
        {"name": "a", "word": SECRET, "seed": SECRET.encode(), "data": DATA},
        {"name": "b", "word": "second", "seed": None, "data": {"plain": ["default"]}},
    ]
    assert await db.run_query("vault", "word_of", {"name": "a"}) == SECRET
    (claimed,) = (await db.run_query("vault", "take", {"note": "mine"}),)
    assert (claimed["name"], claimed["note"]) == ("b", "mine")
    merged = await db.run_query("vault", "keep", {"name": "b", "word": "third", "note": "theirs", "seed": b"seed"})
    assert (merged["word"], merged["note"], merged["seed"]) == ("second", "mine", b"seed")
    assert all(is_token(value) for row in stored(db) for value in row[1:] if value is not None)


async def test_the_rules_of_input_hold_and_the_table_has_none_of_them(db):
    with pytest.raises(ValidationFailedError, match="word") as refused:
        await db.save("vault", {"name": "a", "word": "x" * 41})
    assert "xxx" not in json.dumps(refused.value.to_dict())
    await db.save("vault", {"name": "a", "word": "x" * 40, "seed": bytes(64)})  # tokens are longer than that


@pytest.mark.parametrize(
    "where",
    [
        {"word": SECRET},
        {"word": [SECRET]},
        {"word": [None]},
        {"word": {"ne": SECRET}},
        {"word": {"starts_with": SECRET}},
        {"word": {"gt": SECRET}},
        {"word": {"between": [SECRET, SECRET]}},
        {"word": {"eq": {"field": "note"}}},
        {"word": {"lt": None}},
        {"name": {"eq": {"field": "word"}}},
        {"data": {"contains": SECRET}},
        {"data": DATA},
        {"seed": {"in": [SECRET.encode()]}},
        {"or": [{"not": {"note": SECRET}}]},
    ],
    ids=str,
)
async def test_it_cannot_be_compared_and_the_refusal_has_no_value(db, where):
    for call in (db.query, db.count, db.exists, db.delete_where):
        with pytest.raises(ValidationFailedError, match="encrypted") as refused:
            await call("vault", where)
        assert SECRET not in json.dumps(refused.value.to_dict())


async def test_rows_have_no_order_by_it(db):
    for order in ("word", "note desc", ["name", "seed"]):
        for call in (db.query, db.page):
            with pytest.raises(ValidationFailedError, match="encrypted"):
                await call("vault", order_by=order)


async def test_no_secret_is_in_the_database_its_copies_logs_events_errors_and_reprs(db, told, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    heard, records = [], []
    db.events.subscribe("**", lambda event: heard.append(repr(event) + repr(event.data) + repr(event.metadata)))
    db.hooks.add(lambda record: records.append(repr(record)))
    id = await db.save("vault", ROW)
    await db.update("vault", id, {"word": SECRET + "2", "note": SECRET, "data": DATA})
    await db.run_query("vault", "set_word", {"name": "a", "word": SECRET})
    await db.save_many("vault", [ROW | {"name": f"row {number}"} for number in range(50)])
    await db.upsert("vault", ROW)
    row = await Vaults(db)._get_or_raise(next(iter(await Vaults(db)._query({"name": "a"}))).id)
    create = db.session.plans.of(vaults.VaultSchema).schema.create_model(**ROW)
    failed = []
    for call in (
        db.save("vault", ROW),  # breaks the unique index
        db.save("vault", ROW | {"name": "c", "word": f"{SECRET} has a blank"}),
        db.update("vault", id, {"changes": 99, "word": SECRET}),
        db.query("vault", {"word": SECRET}),
        db.run_query("vault", "set_word", {"name": "a", "word": SECRET, "other": SECRET}),
        db.run_query("vault", "set_word", {"name": "a", "word": f"{SECRET} has a blank"}),
        db.run_query("vault", "set_word", {"name": "a", "word": [SECRET]}),
        db.run_query("vault", "keep", {"name": "a", "word": f"{SECRET} has a blank"}),
    ):
        with pytest.raises(DatabaseError) as error:
            await call
        failed.append(repr(error.value) + str(error.value) + json.dumps(error.value.to_dict(), default=repr))
    stats = repr(await db.stats())
    await db.events.settle()
    places = {
        "rows": repr(outside(db, "SELECT * FROM vaults")),
        "log": caplog.text + "".join(repr(record.__dict__) for record in caplog.records),
        "events": "".join(heard),
        "hooks": "".join(records),
        "errors": "".join(failed),
        "models": repr(row) + str(row) + repr(create),
        "settings": repr(db.settings) + str(db.settings),
        "statistics": stats,
    }
    if db.settings.database_type == "sqlite":
        path = db.settings.database_path
        copy(path, tmp_path / "copy.db", patience=5)
        for file in (
            path,
            path.with_name(f"{path.name}-wal"),
            path.with_name(f"{path.name}-shm"),
            tmp_path / "copy.db",
        ):
            places[file.name] = file.read_bytes().decode("latin-1")
    assert all(places.values())  # a place that is empty would prove nothing
    assert [name for name, text in places.items() if SECRET in text or SECRET.encode().hex() in text] == []


async def test_redis_holds_tokens_and_nothing_plain(open_database, key):
    EntityRegistry.register("vault", vaults.VaultSchema)
    with redis_servers.redis_server(rdbcompression="no") as server:
        programs = [
            await open_database(encryption_keys=[key], redis=server.address, single_instance=False) for _ in range(2)
        ]
        await programs[0].create_table("vault")
        id = await programs[0].save("vault", ROW)
        for db in programs:
            assert (await db.get("vault", id))["word"] == SECRET
            assert [row["word"] for row in await db.query("vault", {"name": "a"})] == [SECRET]
            assert await db.run_query("vault", "word_of", {"name": "a"}) == SECRET
            assert len(await db.run_query("vault", "told", {"shouted": "a!"})) == 1
        if programs[0].settings.database_type == "postgresql":  # a file tells nobody what was written
            assert programs[1].cache.stats()["vault"]["redis"]["hit_rate"] > 0
        server.restart(save=True)
        dump = (server.folder / "dump.rdb").read_bytes()
    assert stored(programs[0])[0][1].encode() in dump
    assert SECRET.encode() not in dump
    assert SECRET.encode().hex().encode() not in dump


async def test_the_cache_of_the_process_answers_without_decrypting_again(db, monkeypatch):
    id = await db.save("vault", ROW)
    row = await db.get("vault", id)
    monkeypatch.setattr(Cipher, "decrypt", lambda _cipher, _token: pytest.fail("it was decrypted again"))
    assert await db.get("vault", id) == row


async def test_a_row_whose_key_is_missing_is_an_error_that_names_it(db, open_database, key):
    id = await db.save("vault", ROW)
    other = await open_database(encryption_keys=[new_key()])
    for call in (other.get("vault", id), other.query("vault"), other.run_query("vault", "noted", {})):
        with pytest.raises(DecryptionFailedError, match="no key in ENCRYPTION_KEYS opens word") as failed:
            await call
        assert failed.value.context["entity_id"] == id
        assert failed.value.context["entity_type"] == "vault"
        assert failed.value.context["field"] == "word"
        assert key not in json.dumps(failed.value.to_dict())
    with pytest.raises(DecryptionFailedError) as failed:
        await other.run_query("vault", "word_of", {"name": "a"})
    assert failed.value.context["field"] == "word"
    assert await other.count("vault") == 1  # which reads no value
    assert await other.delete("vault", id)


async def test_a_plain_value_is_an_error_that_says_what_to_do(db):
    id = await db.save("vault", ROW)
    outside(db, "UPDATE vaults SET password = 'plain'")
    with pytest.raises(DecryptionFailedError, match="word of a stored row of vault is not encrypted") as failed:
        await db.get("vault", id, fresh=True)
    assert "soulspot-db keys rotate" in failed.value.resolution


@pytest.mark.parametrize(("column", "value"), [("note", b"\xff" + SECRET.encode()), ("data", SECRET.encode())])
async def test_what_was_encrypted_by_another_type_is_an_error_without_it(db, column, value):
    id = await db.save("vault", ROW)
    token = Cipher(db.settings.encryption_keys).encrypt(value).decode()
    outside(db, f"UPDATE vaults SET {column} = ?", token)
    with pytest.raises(QueryFailedError) as failed:
        await db.get("vault", id, fresh=True)
    error, seen = failed.value, []
    while error is not None:
        seen.append(f"{error} {vars(error)} {getattr(error, 'object', '')}")
        error = error.__cause__ or error.__context__
    assert len(seen) > 1
    assert SECRET not in "".join(seen)


async def test_a_sensitive_key_is_not_in_the_error(open_database, registry):
    class CardSchema(EntitySchema):
        entity_type, table_name = "card", "cards"
        fields = {
            "number": {"type": "string", "primary_key": True, "sensitive": True},
            "pin": {"type": "string", "encrypted": True},
        }

    registry.register("card", CardSchema)
    db = await open_database(encryption_keys=[new_key()])
    await db.create_table("card")
    await db.save("card", {"number": "4711", "pin": "1234"})
    other = await open_database(encryption_keys=[new_key()])
    with pytest.raises(DecryptionFailedError) as failed:
        await other.get("card", "4711")
    assert "4711" not in json.dumps(failed.value.to_dict())


async def test_the_newest_key_writes_and_all_of_them_read(db, open_database, key):
    id = await db.save("vault", ROW)
    newer = new_key()
    both = await open_database(encryption_keys=[newer, key])
    assert (await both.get("vault", id))["word"] == SECRET
    await both.update("vault", id, {"word": "new"})
    only = await open_database(encryption_keys=[newer])
    assert await only.run_query("vault", "word_of", {"name": "a"}) == "new"


async def test_without_a_key_the_first_use_of_such_an_entity_says_how_to_make_one(open_database):
    EntityRegistry.register("vault", vaults.VaultSchema)
    db = await open_database()
    await db.query("counter")  # others need none
    with pytest.raises(
        ConfigurationError, match="vault has encrypted fields, and ENCRYPTION_KEYS is not set"
    ) as failed:
        await db.get("vault", "0190b2d4-0000-7000-8000-000000000000")
    assert "soulspot-db keys new" in failed.value.resolution


async def test_without_the_library_the_first_use_of_such_an_entity_says_how_to_install_it(open_database, monkeypatch):
    import sys

    EntityRegistry.register("vault", vaults.VaultSchema)
    db = await open_database(encryption_keys=[new_key()])
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(ConfigurationError, match="is not installed") as failed:
        await db.query("vault")
    assert "pip install 'soulspot-db[encryption]'" in failed.value.resolution


def test_the_library_is_imported_only_where_it_is_needed():
    import subprocess
    import sys

    code = (
        "import sys, soulspot_db.database, soulspot_db.repositories.repository; sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.mark.parametrize(
    "keys", ["x", "a" * 44, KEY[:-1], f"{KEY} {KEY}", f"{KEY},no", f"no,{KEY}", ["é" * 44], [KEY + "\n"]]
)
def test_what_is_no_key_is_refused_and_not_shown(keys):
    with pytest.raises(ConfigurationError, match=r"ENCRYPTION_KEYS: number [12] is no key") as failed:
        DatabaseSettings(encryption_keys=keys)
    assert not any(part in str(failed.value) for part in ("aaaa", "éééé", KEY[:-1]))


def test_keys_are_read_from_their_own_variable(monkeypatch):
    one, two = new_key(), new_key()
    monkeypatch.setenv("ENCRYPTION_KEYS", f" {one}, {two},\n")
    found = DatabaseSettings(_env_file=None)
    assert [key.get_secret_value() for key in found.encryption_keys] == [one, two]
    assert one not in repr(found) + str(found) + found.model_dump_json()
    monkeypatch.setenv("ENCRYPTION_KEYS", "")
    assert DatabaseSettings(_env_file=None).encryption_keys == ()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"type": "integer"}, "does not go with type 'integer'"),
        ({"type": "string", "unique": True}, "'unique' does not go with 'encrypted'"),
        ({"type": "string", "index": True}, "'index' does not go with 'encrypted'"),
        ({"type": "string", "references": "m.vault"}, "'references' does not go with 'encrypted'"),
    ],
)
def test_a_schema_written_by_hand_is_refused_as_well(registry, field, message):
    class BadSchema(EntitySchema):
        entity_type, table_name = "bad", "bads"
        fields = {"id": {"type": "uuid", "primary_key": True}, "a": {"encrypted": True, **field}}

    with pytest.raises(SchemaInvalidError, match=message):
        registry.register("bad", BadSchema)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner | st.none(), max_size=4) | st.dictionaries(TEXTS, inner | st.none(), max_size=4),
    max_leaves=8,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.fixed_dictionaries({"note": TEXTS | st.none(), "seed": st.binary(max_size=64) | st.none(), "data": JSON}),
        max_size=5,
    )
)
async def test_any_value_comes_back(db, rows):
    await db.delete_where("vault", {}, all_rows=True)
    given = [{"name": str(number), "word": "w", **row} for number, row in enumerate(rows)]
    await db.save_many("vault", given)
    found = await db.query("vault", order_by="name", fresh=True)
    assert [{name: row[name] for name in given[0]} for row in found] == given
    assert all(is_token(value) for row in stored(db) for value in row[1:] if value is not None)


@given(stored=st.binary() | TEXTS.map(str.encode) | st.from_regex(rb"gAAAA[A-Za-z0-9_-]{92}={0,3}", fullmatch=True))
def test_whatever_is_stored_is_read_or_refused(stored):
    cipher = Cipher(DatabaseSettings(encryption_keys=[new_key()], _env_file=None).encryption_keys)
    with pytest.raises(UnreadableError):
        cipher.decrypt(stored)
    assert cipher.decrypt(cipher.encrypt(stored)) == stored


async def test_many_at_once_read_and_write_as_always(db):
    ids = await asyncio.gather(*(db.save("vault", {"name": str(n), "word": f"w{n}"}) for n in range(60)))
    rows = await asyncio.gather(*(db.get("vault", id, fresh=True) for id in ids))
    assert [row["word"] for row in rows] == [f"w{n}" for n in range(60)]
    assert [row["word"] for row in await db.get_many("vault", ids, fresh=True)] == [f"w{n}" for n in range(60)]
