"""JSON, bytes and sensitive values on their way through the facade and through typed repositories."""

import logging
import sqlite3
from contextlib import closing

import pytest
from immutabledict import immutabledict
from language_support import FileSchema, SecretSchema
from soulspot_db import ConstraintViolationError, DatabaseError, NotFoundError, Repository, ValidationFailedError
from soulspot_db.schema import resolved

FILE, SECRET = resolved(FileSchema), resolved(SecretSchema)
VALUES = [
    {},
    [],
    {"b": [1, 2.5, None, True, {"c": "it's: 5%"}], "a": {"é": "✓"}},
    [[], [{}]],
    "text",
    "",
    0,
    7,
    -(2**63),
    1e300,
    0.1,
    True,
    False,
]


class FileRepository(Repository):
    schema = FileSchema


class SecretRepository(Repository):
    schema = SecretSchema


def of_type(value):
    """A value and its types all the way down: 1, 1.0 and true are equal in Python."""
    if isinstance(value, dict):
        return {key: of_type(item) for key, item in value.items()}
    return [*map(of_type, value)] if isinstance(value, list) else (type(value), value)


class TestJsonInTheFacade:
    @pytest.mark.parametrize("value", VALUES)
    async def test_a_value_comes_back_as_plain_lists_and_dicts(self, db, value):
        key = await db.save("file", {"data": value})
        for fresh in (True, False, False):
            assert of_type((await db.get("file", key, fresh=fresh))["data"]) == of_type(value)
        assert of_type((await db.query("file"))[0]["data"]) == of_type(value)

    @pytest.mark.parametrize("value", VALUES)
    async def test_a_value_is_found_by_what_it_is(self, db, value):
        key = await db.save("file", {"settings": value})
        await db.save("file", {"settings": {"other": 1}})
        for where in ({"eq": value}, {"in": [value, "more"]}, {"not_in": [{"other": 1}]}, {"ne": {"other": 1}}):
            assert [row["id"] for row in await db.query("file", {"settings": where})] == [key]

    async def test_what_was_returned_is_the_callers_own(self, db):
        key = await db.save("file", {"data": {"list": [1], "dict": {"a": 1}}})
        mine = (await db.get("file", key))["data"]
        mine["list"].append(2)
        mine["dict"]["b"] = 2
        assert (await db.get("file", key))["data"] == {"list": [1], "dict": {"a": 1}}
        (await db.query("file"))[0]["data"]["list"].clear()
        assert (await db.query("file"))[0]["data"] == {"list": [1], "dict": {"a": 1}}

    async def test_what_was_given_stays_the_callers_own(self, db):
        given = {"list": [1]}
        key = await db.save("file", {"data": given})
        given["list"].append(2)
        assert (await db.get("file", key))["data"] == {"list": [1]}
        await db.update("file", key, {"data": given})
        given["list"].append(3)
        assert (await db.get("file", key))["data"] == {"list": [1, 2]}

    async def test_the_default_is_made_for_each_row(self, db):
        first, second = await db.save("file", {}), await db.save("file", {})
        (await db.get("file", first))["data"]["made"].append(1)
        assert (await db.get("file", second))["data"] == {"made": [], "by": {"default": True}}

    async def test_null_is_no_value_and_the_text_null_is_one(self, db):
        key = await db.save("file", {"settings": None})
        assert (await db.get("file", key))["settings"] is None
        assert await db.count("file", {"settings": None}) == 1
        await db.update("file", key, {"settings": "null"})
        assert (await db.get("file", key, fresh=True))["settings"] == "null"
        assert await db.update("file", key, {"settings": None})
        assert (await db.get("file", key, fresh=True))["settings"] is None

    async def test_equal_values_are_equal_whatever_the_order_of_their_keys(self, db):
        key = await db.save("file", {"settings": {"a": 1, "b": {"c": 2, "d": 3}}})
        assert await db.count("file", {"settings": {"eq": {"b": {"d": 3, "c": 2}, "a": 1}}}) == 1
        with pytest.raises(ConstraintViolationError):
            await db.save("file", {"settings": {"b": {"d": 3, "c": 2}, "a": 1}})
        assert await db.update("file", key, {"settings": {"b": {"d": 3, "c": 2}, "a": 1}})

    @pytest.mark.parametrize(
        "value",
        [None, float("nan"), {"a": float("inf")}, 2**63, {1: 1}, {"a\0": 1}, ["\ud800"], {1, 2}, b"x", object()],
    )
    async def test_what_cannot_be_stored_is_refused(self, db, value):
        with pytest.raises(ValidationFailedError):
            await db.save("file", {"data": value})
        with pytest.raises(ValidationFailedError):
            await db.query("file", {"data": {"eq": value, "gt": value}})

    async def test_other_writers_are_kept_to_json(self, db):
        key = await db.save("file", {})
        with closing(sqlite3.connect(db.settings.database_path)) as connection:
            for wrong in ("{", "x", ""):
                with pytest.raises(sqlite3.IntegrityError, match="ck_files_data_json"):
                    connection.execute("UPDATE files SET data = ? WHERE id = ?", (wrong, key))
            connection.execute("UPDATE files SET data = ?, settings = NULL WHERE id = ?", ('{"theirs": [1]}', key))
            connection.commit()
        assert (await db.get("file", key, fresh=True))["data"] == {"theirs": [1]}

    async def test_the_servers_default_is_ours(self, db):
        with closing(sqlite3.connect(db.settings.database_path)) as connection:
            connection.execute("INSERT INTO files (id) VALUES ('0190b2d4-1f7e-7c3a-9f00-000000000001')")
            connection.commit()
            [theirs] = connection.execute("SELECT data FROM files").fetchall()
        await db.save("file", {})
        with closing(sqlite3.connect(db.settings.database_path)) as connection:
            assert connection.execute("SELECT DISTINCT data FROM files").fetchall() == [theirs]


class TestRows:
    @pytest.fixture
    def files(self, db):
        return FileRepository(db)

    @pytest.mark.parametrize("value", VALUES)
    async def test_rows_hold_what_nobody_can_change(self, files, value):
        saved = await files._save(FILE.create_model(data=value))
        for row in (saved, await files._get(saved.id), await files._get(saved.id, fresh=True)):
            hash(row.data)
            assert not isinstance(row.data, (list, dict))

    async def test_mappings_and_tuples_all_the_way_down(self, files):
        row = await files._save(FILE.create_model(data={"a": [{"b": [1]}]}))
        assert type(row.data) is immutabledict
        assert type(row.data["a"]) is tuple
        assert type(row.data["a"][0]) is immutabledict
        with pytest.raises(TypeError):
            row.data["a"] = 1
        with pytest.raises(TypeError):
            row.data["a"][0]["b"] = 2
        with pytest.raises(ValueError, match="frozen"):
            row.data = {}

    async def test_input_models_do_not_hold_on_to_what_they_were_given(self, files):
        given = {"a": [1]}
        new, changes = FILE.create_model(data=given), FILE.update_model(data=given)
        given["a"].append(2)
        assert new.data == changes.data == immutabledict({"a": (1,)})
        row = await files._save(new)
        assert (await files._update(row.id, changes)).data == new.data

    async def test_a_row_can_be_saved_again(self, files):
        row = await files._save(FILE.create_model(data={"a": [1]}))
        copy = await files._save(FILE.create_model(data=row.data))
        assert copy.data == row.data
        assert await files._count({"data": {"eq": row.data}}) == 2

    async def test_a_unique_json_value_finds_its_row(self, files):
        row = await files._save(FILE.create_model(settings={"b": 1, "a": []}))
        assert await files._get_by({"settings": {"a": [], "b": 1}}) == row


class TestBytes:
    @pytest.mark.parametrize("value", [b"", b"\0", b"\xff\x00'", b"12345678", bytearray(b"x"), memoryview(b"yz")])
    async def test_bytes_come_back_as_they_were(self, db, value):
        key = await db.save("file", {"content": value, "digest": value})
        for fresh in (True, False):
            row = await db.get("file", key, fresh=fresh)
            assert (type(row["content"]), row["content"]) == (bytes, bytes(value))
        assert await db.count("file", {"content": value}) == 1
        assert await db.count("file", {"digest": [value, None]}) == 1

    async def test_bytes_are_ordered_as_numbers(self, db):
        for value in (b"\xff", b"a", b"", b"a\0", b"B"):
            await db.save("file", {"content": value})
        found = [row["content"] for row in await db.query("file", {"content": {"gte": b"B"}}, "content")]
        assert found == [b"B", b"a", b"a\0", b"\xff"]

    @pytest.mark.parametrize("value", ["text", 1, [1], b"123456789", bytearray(9)])
    async def test_what_is_no_bytes_or_too_long_is_refused(self, db, value):
        with pytest.raises(ValidationFailedError):
            await db.save("file", {"content": value})

    async def test_other_writers_are_kept_to_bytes_and_their_length(self, db):
        key = await db.save("file", {})
        with closing(sqlite3.connect(db.settings.database_path)) as connection:
            for wrong in ("text", 5, b"123456789"):
                with pytest.raises(sqlite3.IntegrityError):
                    connection.execute("UPDATE files SET content = ? WHERE id = ?", (wrong, key))

    async def test_unique_bytes_are_unique(self, db):
        await db.save("file", {"digest": b"\x01\x02"})
        with pytest.raises(ConstraintViolationError):
            await db.save("file", {"digest": b"\x01\x02"})


HIDDEN = {"token": "tok-hunter2", "pin": 4711, "kind": "x", "seed": b"hunter3", "data": {"password": "hunter4"}}
TOLD = ("hunter", "4711", "'x'", "kind=")


def assert_hidden(text):
    assert [word for word in TOLD if word in text] == []


class TestSensitive:
    @pytest.fixture
    def secrets(self, db):
        return SecretRepository(db)

    async def test_what_models_and_rows_print_as_leaves_values_out(self, secrets):
        new = SECRET.create_model(name="mine", **HIDDEN)
        row = await secrets._save(new)
        changes = SECRET.update_model(name="mine", **HIDDEN)
        for shown in (new, row, changes, await secrets._get(row.id, fresh=True)):
            for text in (repr(shown), str(shown), f"{shown}", repr([shown])):
                assert_hidden(text)
                assert "name='mine'" in text
        assert {name: getattr(row, name) for name in ("token", "pin", "kind", "seed")} == {
            name: HIDDEN[name] for name in ("token", "pin", "kind", "seed")
        }

    @pytest.mark.parametrize(
        "wrong",
        [
            {"token": "hunter2"},
            {"token": "tok-hunter2" + "x" * 30},
            {"token": ["hunter2"]},
            {"pin": 471},
            {"pin": "4711"},
            {"kind": "hunter"},
            {"seed": b"hunter" * 5},
            {"seed": "hunter"},
            {"data": {"password": {"hunter"}}},
            {"data": {"hunter": object()}},
            {"data": {"hunter\0": 1}},
        ],
    )
    async def test_a_value_that_does_not_fit_is_not_repeated(self, db, wrong):
        key = await db.save("secret", {"name": "mine", **HIDDEN})
        [(name, value)] = wrong.items()
        calls = (
            lambda: db.save("secret", {"name": "x", "token": "tok-x", **wrong}),
            lambda: db.update("secret", key, wrong),
            lambda: db.query("secret", {name: {"eq": value}}),
            lambda: db.query("secret", {name: {"in": [value]}}),
            lambda: db.update_where("secret", {"name": "mine"}, wrong),
        )
        for call in calls:
            try:
                await call()
            except DatabaseError as error:
                for text in (str(error), repr(error), str(error.to_dict())):
                    assert "hunter" not in text
                    assert "4711" not in text
        with pytest.raises(ValidationFailedError):
            await calls[0]()

    @pytest.mark.parametrize("wrong", [{"token": "tok-hunter2"}, {"token": "tok-other", "pin": 12_345}])
    async def test_a_row_that_the_database_refuses_is_not_repeated(self, db, wrong, caplog):
        caplog.set_level(logging.DEBUG)
        await db.save("secret", {"name": "mine", **HIDDEN})
        with pytest.raises(ConstraintViolationError) as caught:
            await db.save("secret", {"name": "other", **HIDDEN, **wrong})
        for text in (str(caught.value), repr(caught.value), str(caught.value.to_dict()), caplog.text):
            assert_hidden(text)
            assert "12345" not in text

    async def test_a_row_that_is_not_there_is_not_repeated(self, db, secrets):
        with pytest.raises(NotFoundError) as caught:
            await secrets._get_or_raise(SECRET.create_model(name="x", token="tok-x").id)
        assert_hidden(str(caught.value))
        assert await db.get("secret", "tok-hunter2") is None

    async def test_events_tell_names_and_no_values(self, db):
        told = []

        @db.events.subscribe("**")
        async def note(event):
            told.append(repr(event))

        key = await db.save("secret", {"name": "mine", **HIDDEN})
        await db.update("secret", key, HIDDEN)
        await db.events.settle()
        assert len(told) == 2
        assert_hidden(" ".join(told))

    async def test_statistics_hold_no_values(self, db):
        await db.save("secret", {"name": "mine", **HIDDEN})
        await db.query("secret", {"token": "tok-hunter2", "data": {"eq": HIDDEN["data"]}})
        assert_hidden(str(await db.stats()))

    async def test_the_facade_gives_its_caller_the_values(self, db):
        row = await db.get("secret", await db.save("secret", {"name": "mine", **HIDDEN}))
        assert {name: row[name] for name in HIDDEN} == HIDDEN
