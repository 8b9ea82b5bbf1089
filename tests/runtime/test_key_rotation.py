"""Rotating keys: everything is encrypted with the newest one, nothing is lost, and others go on writing meanwhile."""

import asyncio
import datetime as dt
import json
import multiprocessing
import random
import sqlite3

import homes
import pytest
import vaults
from soulspot_db import DecryptionFailedError, EntityRegistry, EntitySchema
from soulspot_db.maintenance import rotation
from soulspot_db.maintenance.rotation import Rotated, rotate_keys
from support import outside, until, within
from vaults import SECRET, is_token, new_key, stored

DATABASES = homes.BOTH


class CardSchema(EntitySchema):
    """Its key has two parts, of which one is sensitive."""

    entity_type = "card"
    table_name = "cards"
    primary_key = ("bank", "number")
    fields = {
        "bank": {"type": "integer"},
        "number": {"type": "string", "sensitive": True},
        "pin": {"type": "string", "encrypted": True, "nullable": True},
    }


@pytest.fixture
def old():
    return new_key()


@pytest.fixture
def new():
    return new_key()


@pytest.fixture
async def db(open_database, old):
    """The program, which knows the old key alone."""
    EntityRegistry.register("vault", vaults.VaultSchema)
    EntityRegistry.register("card", CardSchema)
    db = await open_database(encryption_keys=[old])
    await db.create_table("vault")
    await db.create_table("card")
    return db


def quiet(_what, _done, _total):
    pass


async def fill(db, count):
    names = [f"{number:05}" for number in range(count)]
    await db.save_many("vault", [{"name": n, "word": f"w{n}", "note": f"n{n}", "seed": n.encode()} for n in names])
    await db.save_many("card", [{"bank": int(n), "number": f"4711-{n}", "pin": n} for n in names])
    return names


def words(rows):
    return {row["name"]: (row["word"], row["note"], row["seed"]) for row in rows}


async def test_everything_is_encrypted_anew_and_the_old_key_is_needed_no_more(db, open_database, old, new, told):
    names = await fill(db, 30)
    before = await db.query("vault", order_by="name", fresh=True)
    tokens = stored(db)
    both = await open_database(encryption_keys=[new, old])
    both.events.subscribe("**", lambda event: told.append(event.event_type))
    await db.events.settle()
    told.clear()
    seen = []
    done = await rotate_keys(both, lambda *progress: seen.append(progress))
    assert done == [Rotated("card", renewed=30), Rotated("vault", renewed=120)]
    assert seen == [
        ("reading card", 30, 30),
        ("reading vault", 30, 30),
        ("encrypting card", 30, 30),
        ("encrypting vault", 30, 30),
    ]
    only = await open_database(encryption_keys=[new])
    after = await only.query("vault", order_by="name")
    assert after == before  # `version` and `on_update` fields too
    assert [row["pin"] for row in await only.query("card", order_by="bank")] == names
    assert not {token for row in tokens for token in row[1:]} & {token for row in stored(db) for token in row[1:]}
    await both.events.settle()
    assert told == []


async def test_a_second_run_has_nothing_to_do_and_writes_nothing(db, open_database, old, new):
    await fill(db, 10)
    both = await open_database(encryption_keys=[new, old])
    await rotate_keys(both, quiet)
    rows = stored(db)
    assert await rotate_keys(both, quiet) == [Rotated("card"), Rotated("vault")]
    assert stored(db) == rows


async def test_plain_values_are_encrypted_whatever_they_look_like(db):
    await fill(db, 3)
    plain = ["", "gAAAA", "gAAAAABrCJ8cqgOGzZEJ5sMYKZbPj6zO61dsi0wv", "ünïcode \U0001f600", "a" * 76]
    for text in plain:
        outside(db, "UPDATE vaults SET password = ? WHERE name = '00001'", text)
        assert (await rotate_keys(db, quiet))[1] == Rotated("vault", encrypted=1)
        assert await db.run_query("vault", "word_of", {"name": "00001"}, fresh=True) == text
    outside(db, "UPDATE vaults SET data = ?, seed = ?, note = NULL", '{"a": [1, "b"]}', b"\x00\xff")
    assert (await rotate_keys(db, quiet))[1] == Rotated("vault", encrypted=6)
    for row in await db.query("vault", fresh=True):
        assert (row["data"], row["seed"], row["note"]) == ({"a": [1, "b"]}, b"\x00\xff", None)
    assert all(is_token(value) for row in stored(db) for value in row[1:] if value is not None)


async def test_where_a_key_is_missing_nothing_is_written_and_the_rows_are_named(db, open_database, new):
    await fill(db, 25)
    outside(db, "UPDATE vaults SET note = 'plain'")
    rows = stored(db)
    wrong = await open_database(encryption_keys=[new])
    with pytest.raises(
        DecryptionFailedError, match="no key in ENCRYPTION_KEYS opens 100 values: pin of card"
    ) as failed:
        await rotate_keys(wrong, quiet)
    ids = [row["id"] for row in outside_ids(db)]
    named = failed.value.context["values"]
    assert [f"word of vault {id}" for id in ids if f"word of vault {id}" not in named] == []
    assert "; and 80 more" in failed.value.message
    assert "Nothing was written." in failed.value.resolution
    assert "4711" not in json.dumps(failed.value.to_dict())  # part of a key, and sensitive
    assert stored(db) == rows


def outside_ids(db):
    return [{"id": str(id)} for (id,) in outside(db, "SELECT id FROM vaults")]


async def test_a_value_that_was_changed_meanwhile_stays_as_others_wrote_it(db, open_database, old, new, monkeypatch):
    await fill(db, 4)
    both = await open_database(encryption_keys=[new, old])
    write, times = rotation._Rotation._written, []

    async def written(self, statements):
        if self._plan.spec.entity_type == "vault" and not times:
            times.append(1)
            await db.run_query("vault", "set_word", {"name": "00002", "word": "newer"})
            await db.delete_where("vault", {"name": "00003"})
        return await write(self, statements)

    monkeypatch.setattr(rotation._Rotation, "_written", written)
    assert (await rotate_keys(both, quiet))[1] == Rotated("vault", renewed=12)
    only = await open_database(encryption_keys=[new])
    assert {row["name"]: row["word"] for row in await only.query("vault")} == {
        "00000": "w00000",
        "00001": "w00001",
        "00002": "newer",
    }


async def test_what_is_changed_again_and_again_is_told(db, open_database, old, new, monkeypatch):
    await fill(db, 2)
    both = await open_database(encryption_keys=[new, old])
    write = rotation._Rotation._written

    async def written(self, statements):
        await db.run_query("vault", "set_word", {"name": "00001", "word": "newer"})
        return await write(self, statements)

    monkeypatch.setattr(rotation._Rotation, "_written", written)
    assert (await rotate_keys(both, quiet))[1] == Rotated("vault", renewed=7, overtaken=1)
    assert await both.run_query("vault", "word_of", {"name": "00001"}, fresh=True) == "newer"


async def test_no_write_is_lost_while_the_program_goes_on(db, open_database, old, new, monkeypatch):
    monkeypatch.setattr(rotation, "_SIZE", 7)
    names = await fill(db, 60)
    program = await open_database(encryption_keys=[new, old])
    both = await open_database(encryption_keys=[new, old])
    expected = words(await program.query("vault"))
    chance, is_over = random.Random(1), asyncio.Event()

    async def write(mine):
        number = 0
        while not is_over.is_set():
            name, number = chance.choice(mine), number + 1
            word, note = f"w{number}", f"n{number}"
            await program.update_where("vault", {"name": name}, {"word": word, "note": note})
            expected[name] = (word, note, expected[name][2])
            await asyncio.sleep(0)

    writers = [asyncio.create_task(write(names[part::4])) for part in range(4)]
    for _ in range(3):
        await within(60, rotate_keys(both, quiet))
    is_over.set()
    await within(20, asyncio.gather(*writers))
    only = await open_database(encryption_keys=[new])
    assert words(await only.query("vault")) == expected


async def test_a_run_that_is_killed_is_begun_again(db, open_database, old, new, tmp_path):
    names = await fill(db, 1500)
    settings, begun = db.settings, tmp_path / "begun"
    where = {"database_path": settings.database_path, "database_type": "sqlite"}
    if settings.database_type == "postgresql":
        where = {"database": settings.database, "user": settings.user, "single_instance": True}
    process = multiprocessing.get_context("spawn").Process(
        target=vaults.rotate_until_killed, args=(where, [new, old], begun), daemon=True
    )
    process.start()
    await until(lambda: begun.exists() or not process.is_alive(), 40)
    process.kill()
    process.join()
    assert process.exitcode == -9
    both = await open_database(encryption_keys=[new, old])
    assert words(await both.query("vault")) == {n: (f"w{n}", f"n{n}", n.encode()) for n in names}  # half old, half new
    left = sum(each.renewed for each in await rotate_keys(both, quiet))
    assert 0 < left < 5 * len(names)
    only = await open_database(encryption_keys=[new])
    assert words(await only.query("vault")) == {n: (f"w{n}", f"n{n}", n.encode()) for n in names}
    assert await only.count("card") == len(await only.query("card"))


@pytest.mark.sqlite_only
async def test_after_a_vacuum_no_plain_value_is_left_in_the_file(db):
    await db.save_many("vault", [{"name": str(n), "word": "w", "note": "n" * 200} for n in range(50)])
    outside(db, "UPDATE vaults SET note = ?", f"{SECRET} {'x' * 500}")
    await rotate_keys(db, quiet)
    path = db.settings.database_path
    await db.close()
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM")
    connection.close()
    for file in path.parent.glob(f"{path.name}*"):
        assert SECRET.encode() not in file.read_bytes()


async def test_hidden_rows_are_encrypted_anew_as_well(open_database, old, new):
    class HiddenSchema(EntitySchema):
        entity_type = "hidden"
        table_name = "hidden"
        soft_delete = "deleted_at"
        expires = "expires_at"
        fields = {
            "id": {"type": "integer", "primary_key": True},
            "word": {"type": "string", "encrypted": True},
            "deleted_at": {"type": "datetime", "nullable": True},
            "expires_at": {"type": "datetime", "nullable": True},
        }

    EntityRegistry.register("hidden", HiddenSchema)
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    before = await open_database(encryption_keys=[old])
    await before.create_table("hidden")
    await before.save_many(
        "hidden", [{"id": n, "word": "w", "expires_at": past if n == 2 else None} for n in (1, 2, 3)]
    )
    await before.delete("hidden", "3")
    done = await rotate_keys(await open_database(encryption_keys=[new, old]), quiet)
    assert Rotated("hidden", renewed=3) in done
    after = await open_database(encryption_keys=[new])
    assert await after.restore("hidden", "3")
    rows = await after.with_expired.query("hidden", order_by="id")
    assert [(row["id"], row["word"]) for row in rows] == [(1, "w"), (2, "w"), (3, "w")]
