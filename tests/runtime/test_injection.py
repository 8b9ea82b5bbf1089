"""Text that would be SQL if it became part of a statement: it is refused, or bound and meant as it is written.

After every attempt each database has the rows and the tables that it had before, and no statement contains any of the text.
"""

import asyncio
import base64
import json
import logging
import re
import sqlite3

import homes
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from soulspot_db import Database, DatabaseError, DatabaseSettings, EntityRegistry, EntitySchema

DATABASES = homes.BOTH
REFUSED = {"DATABASE_UNKNOWN_ENTITY", "DATABASE_UNKNOWN_FIELD", "DATABASE_VALIDATION_FAILED"}

ATTACKS = [
    "'; DROP TABLE papers; --",
    '"; DROP TABLE papers; --',
    "' OR '1'='1",
    "' OR 1=1 --",
    '" OR ""="',
    "x' UNION SELECT sql FROM sqlite_master --",
    "'||(SELECT string_agg(tablename, ',') FROM pg_tables)||'",
    "'; UPDATE papers SET title = 'hacked' WHERE '1'='1",
    "\\'; DELETE FROM papers; --",
    "$$; DROP TABLE papers; $$",
    "E'\\x27'; DROP TABLE papers; --",
    "title) OR (1=1",
    "title = title OR title",
    "title; DROP TABLE papers",
    "title DESC; DROP TABLE papers; --",
    "(SELECT name FROM authors LIMIT 1)",
    "papers.title",
    "rowid",
    "ctid",
    "*",
    "1 OR 1=1",
    "/* */ OR 1=1 --",
    "$1",
    "?",
    ":p0",
    "%(p0)s",
    "{0}",
    "__class__",
    "%27 OR 1=1",
    "\u02bc OR 1=1 --",  # which some character sets turn into an apostrophe
    "\uff07 OR 1=1 --",
    "a\nb'; --",
    "\\",
    "%",
    "_",
    "[a-z]*",
]


class AuthorSchema(EntitySchema):
    """Its key is text."""

    entity_type = "author"
    table_name = "authors"
    fields = {"id": {"type": "string", "primary_key": True}, "name": {"type": "text"}}
    relations = {"papers": {"entity": "paper", "local": "id", "remote": "author_id", "many": True}}


class PaperSchema(EntitySchema):
    """`code` is its natural key."""

    entity_type = "paper"
    table_name = "papers"
    cache = False
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "code": {"type": "string", "unique": True},
        "title": {"type": "text"},
        "data": {"type": "json"},
        "tags": {"type": "list", "items": "text"},
        "author_id": {"type": "string"},
    }
    relations = {"author": {"entity": "author", "local": "author_id", "remote": "id"}}
    queries = {
        "titled": {"where": {"title": {"param": "title"}}, "order_by": "code"},
        "listed": {"where": {"title": {"in": {"param": "titles"}}}, "order_by": "code"},
        "spelt": {"where": {"title": {"icontains": {"param": "part"}}}, "returns": "count"},
        "written_by": {
            "where": {"author": {"some": {"name": {"param": "name"}}}},
            "select": "code",
            "order_by": "code",
        },
        "retitle": {"update": {"title": {"param": "title"}}, "where": {"code": {"param": "code"}}},
        "put": {
            "upsert": {"match": ["code"], "rules": {"title": {"differs": 'it\'s "different"'}, "data": "fill_null"}}
        },
    }


TITLES = ["plain", *ATTACKS]
AUTHORS = [{"id": text, "name": text} for text in TITLES]
PAPERS = [
    {"code": f"{n:02} {text}", "title": text, "data": {text: {"by": [text]}}, "tags": [text, "x"], "author_id": text}
    for n, text in enumerate(TITLES)
]
_TABLES = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name",
    "postgresql": "SELECT table_name::text, column_name::text, data_type::text, column_default::text "
    "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
}


class Target:
    """An open database with AUTHORS and PAPERS, every statement that was sent to it, and a look at all that is in it."""

    def __init__(self, db, run, look):
        self.db, self.run, self.look = db, run, look
        self.sent = []
        self.ids = {row["code"]: row["id"] for row in run(db.query("paper"))}
        self.before = self.content()

    def content(self):
        kind = self.db.settings.database_type
        papers = self.look("SELECT * FROM papers ORDER BY code")
        authors = self.look("SELECT * FROM authors ORDER BY id")
        return self.look(_TABLES[kind]), [list(map(str, row)) for row in (*papers, *authors)]

    def require_unchanged(self, text):
        assert self.content() == self.before
        if re.search(";|--|'.", text):  # what no statement of ours has
            sent = [sql.replace("ESCAPE '\\'", "") for sql in self.sent]  # which every LIKE has
            assert [sql for sql in sent if text in sql] == []
        for sql in self.sent:
            assert not re.search(r"DROP|UNION|sqlite_master|pg_tables|hacked|--|;", sql)
        self.sent.clear()

    def refused(self, call):
        """Make sure that a call is refused before anything is sent."""
        self.sent.clear()
        with pytest.raises(DatabaseError) as error:
            self.run(call())
        assert error.value.code in REFUSED
        assert self.sent == []

    def codes(self, where):
        return [row["code"] for row in self.run(self.db.query("paper", where, "code"))]


@pytest.fixture(scope="module")
def target(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("injection")) as home:
        EntityRegistry.register("author", AuthorSchema)
        EntityRegistry.register("paper", PaperSchema)

        async def make(db):
            await db.create_table("author")
            await db.create_table("paper")

        home.prepare(make)
        with home.copy(tmp_path_factory.mktemp("copy")) as where, asyncio.Runner() as runner:
            db = runner.run(Database(DatabaseSettings(**where, synchronous="NORMAL", _env_file=None)).open())
            runner.run(db.save_many("author", AUTHORS))
            runner.run(db.save_many("paper", PAPERS))
            look, leave = _looking(db.settings, runner.run)
            found = Target(db, runner.run, look)
            logger, handler = logging.getLogger("soulspot_db.query"), _Sent(found.sent)
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
            logger.propagate = False  # to pytest, which would keep all of it
            yield found
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
            logger.removeHandler(handler)
            leave()
            runner.run(db.close())


def _looking(settings_, run):
    """What another program sees, by a connection that it keeps: every example looks."""
    if settings_.database_type == "postgresql":
        connection = run(homes.connect(settings_))
        return lambda sql: list(map(tuple, run(connection.fetch(sql)))), lambda: run(connection.close())
    connection = sqlite3.connect(settings_.database_path, isolation_level=None)
    return lambda sql: connection.execute(sql).fetchall(), connection.close


class _Sent(logging.Handler):
    def __init__(self, sent):
        super().__init__()
        self._sent = sent

    def emit(self, record):
        self._sent.append(record.getMessage())


@pytest.fixture(autouse=True)
def registry():
    """That of the module's database stays."""


texts = st.sampled_from(TITLES) | st.builds(
    "".join,
    st.lists(
        st.sampled_from([*ATTACKS, "'", '"', ";", "--", "\\", " "]) | st.text("ab'\"%_\\$", max_size=3), max_size=4
    ),
)
names = texts.filter(lambda text: text not in {"", "plain"})
shared = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def lower(text):
    return re.sub("[A-Z]", lambda found: found[0].lower(), text)


def of(condition):
    return [row["code"] for row in sorted(PAPERS, key=lambda row: row["code"]) if condition(row)]


def every_attack(test):
    for text in ATTACKS:
        test = example(text)(test)
    return test


@shared
@every_attack
@given(text=texts)
def test_a_value_in_a_filter_is_meant_as_it_is_written(target, text):
    found = target.codes
    assert found({"title": text}) == of(lambda row: row["title"] == text)
    assert found({"title": {"ne": text}}) == of(lambda row: row["title"] != text)
    assert found({"title": [text, "plain"]}) == of(lambda row: row["title"] in {text, "plain"})
    assert found({"title": {"not_in": [text]}}) == of(lambda row: row["title"] != text)
    assert found({"title": {"gte": text}}) == of(lambda row: row["title"] >= text)
    assert found({"title": {"between": [text, text]}}) == of(lambda row: row["title"] == text)
    assert found({"title": {"starts_with": text}}) == of(lambda row: row["title"].startswith(text))
    assert found({"title": {"ends_with": text}}) == of(lambda row: row["title"].endswith(text))
    assert found({"title": {"contains": text}}) == of(lambda row: text in row["title"])
    assert found({"title": {"icontains": text}}) == of(lambda row: lower(text) in lower(row["title"]))
    assert found({"title": {"ieq": text}}) == of(lambda row: lower(row["title"]) == lower(text))
    escaped = re.sub(r"([%_\\])", r"\\\1", text)
    assert found({"title": {"like": escaped}}) == of(lambda row: row["title"] == text)
    assert found({"or": [{"title": text}, {"not": {"title": {"ne": text}}}]}) == of(lambda row: row["title"] == text)
    target.require_unchanged(text)


@shared
@every_attack
@given(text=texts)
def test_keys_and_values_of_json_and_items_of_lists_are_meant_as_they_are_written(target, text):
    found = target.codes
    assert found({"data": {"contains": {text: {}}}}) == of(lambda row: text in row["data"])
    assert found({"data": {"contains": {text: {"by": [text]}}}}) == of(lambda row: text in row["data"])
    assert found({"data": {"eq": {text: {"by": [text]}}}}) == of(lambda row: text in row["data"])
    assert found({"tags": {"contains": text}}) == of(lambda row: text in row["tags"])
    assert found({"tags": {"contains": [text, "x"]}}) == of(lambda row: text in row["tags"])
    target.require_unchanged(text)


@shared
@every_attack
@given(text=texts)
def test_relations_ids_and_parameters_find_what_is_written(target, text):
    run, db = target.run, target.db
    assert target.codes({"author": {"some": {"name": text}}}) == of(lambda row: row["author_id"] == text)
    assert target.codes({"author": {"none": {"id": [text]}}}) == of(lambda row: row["author_id"] != text)
    author = {"id": text, "name": text} if text in TITLES else None
    assert run(db.get("author", text, fresh=True)) == author
    assert run(db.get_many("author", [text, text], fresh=True)) == [author, author]
    code = next((row["code"] for row in PAPERS if row["code"] == text or row["title"] == text), text)
    paper = run(db.get("paper", code))  # as a uuid or as its natural key
    assert (None if paper is None else paper["code"]) == (code if code in target.ids else None)
    assert run(db.get("paper", f"{code}' OR '1'='1")) is None
    titled = of(lambda row: row["title"] == text)
    assert [row["code"] for row in run(db.run_query("paper", "titled", {"title": text}))] == titled
    assert [row["code"] for row in run(db.run_query("paper", "listed", {"titles": [text]}))] == titled
    assert run(db.run_query("paper", "spelt", {"part": text})) == len(
        of(lambda row: lower(text) in lower(row["title"]))
    )
    assert run(db.run_query("paper", "written_by", {"name": text})) == titled
    assert run(db.count("paper", {"title": text})) == len(titled)
    assert run(db.exists("paper", {"title": text})) == bool(titled)
    if author:
        assert [row["code"] for row in run(db.related("author", text, "papers", {"title": text}))] == titled
    target.require_unchanged(text)


@shared
@every_attack
@given(text=texts)
def test_what_is_written_is_stored_as_it_is(target, text):
    run, db = target.run, target.db
    code = f"new {text}"
    row = {"code": code, "title": text, "data": {text: text}, "tags": [text], "author_id": text}
    id = run(db.save("paper", row))
    assert run(db.get("paper", code)) == {"id": id, **row}
    assert run(db.upsert("paper", row | {"title": "other"}, on=["code"])) == id
    assert run(db.get_or_create("paper", row | {"title": "another"}))[1] is False
    assert run(db.update("paper", code, {"title": text, "data": [text]})) is True
    assert run(db.run_query("paper", "put", row))["title"] == text
    assert run(db.run_query("paper", "put", row | {"title": f"{text}!"}))["title"] == 'it\'s "different"'
    assert run(db.run_query("paper", "retitle", {"code": code, "title": text})) == 1
    assert run(db.update_where("paper", {"code": code, "title": text}, {"tags": [text, text]})) == 1
    assert run(db.get("paper", code)) == {"id": id, **row, "data": [text], "tags": [text, text]}
    (many,) = run(db.save_many("paper", [row | {"code": f"many {text}"}]))
    assert run(db.save_stream("paper", [row | {"code": f"stream {text}"}])) == 1
    assert run(db.delete_where("paper", {"code": [f"many {text}", f"stream {text}"]})) == 2
    assert run(db.get("paper", many)) is None
    assert run(db.delete("paper", code)) is True
    target.require_unchanged(text)


@shared
@every_attack
@given(name=names)
def test_a_name_that_the_schema_does_not_know_is_refused_before_anything_is_sent(target, name):
    db, row = target.db, {"code": "c", "title": "t", "data": {}, "tags": [], "author_id": "a"}
    where = {"title": "plain"}
    for call in (
        lambda: db.query(name),
        lambda: db.get(name, "x"),
        lambda: db.save(name, row),
        lambda: db.delete_where(name, where),
        lambda: db.run_query(name, "titled", {}),
        lambda: db.query("paper", {name: 1}),
        lambda: db.query("paper", {"title": {name: "x"}}),
        lambda: db.query("paper", {"title": {"eq": {"field": name}}}),
        lambda: db.query("paper", {"author": {name: {}}}),
        lambda: db.query("paper", {"author": {"some": {name: 1}}}),
        lambda: db.query("paper", {"or": [where, {name: None}]}),
        lambda: db.query("paper", {"title": {"between": {name: name}}}),
        lambda: db.count("paper", {name: None}),
        lambda: db.exists("paper", {name: [1]}),
        lambda: db.query("paper", order_by=name),
        lambda: db.query("paper", order_by=[name, "title"]),
        lambda: db.query("paper", order_by=f"title {name.strip() or 0}"),
        lambda: db.query("paper", order_by=f"{name} desc"),
        lambda: db.query("paper", limit=name),
        lambda: db.query("paper", offset=name),
        lambda: db.page("paper", order_by=name),
        lambda: db.page("paper", limit=name),
        lambda: db.save("paper", row | {name: 1}),
        lambda: db.save_many("paper", [row, row | {name: 1}]),
        lambda: db.update("paper", "c", {name: 1}),
        lambda: db.update_where("paper", {name: 1}, {"title": "t"}),
        lambda: db.update_where("paper", where, {name: "t"}),
        lambda: db.delete_where("paper", {name: 1}),
        lambda: db.upsert("paper", row, on=[name]),
        lambda: db.upsert("paper", row, on=["code", name]),
        lambda: db.get_or_create("paper", row, on=name),
        lambda: db.run_query("paper", name, {}),
        lambda: db.run_query("paper", "titled", {name: "x"}),
        lambda: db.run_query("paper", "titled", {"title": "x", name: "x"}),
        lambda: db.run_query("paper", "spelt", {"part": {name: name}}),
    ):
        target.refused(call)
    target.require_unchanged(name)


@shared
@every_attack
@given(text=texts)
def test_a_relation_that_is_not_there_is_refused(target, text):
    id = target.ids[PAPERS[0]["code"]]
    with pytest.raises(DatabaseError) as error:
        target.run(target.db.related("paper", id, text))
    assert error.value.code in REFUSED
    target.require_unchanged(text)


@shared
@every_attack
@given(text=texts)
def test_a_cursor_of_somebody_elses_making_is_refused_or_is_a_place_in_the_order(target, text):
    db, order = target.db, "title"
    page = target.run(db.page("paper", order_by=order, limit=3))
    mark = json.loads(base64.urlsafe_b64decode(page.next + "=="))[0]

    def cursor(*values):
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")

    for forged in (
        text,
        cursor(text),
        cursor(text, text, text),
        cursor(mark, text),
        cursor(mark, text, text),
        cursor(mark, [text], 1),
    ):
        target.refused(lambda forged=forged: db.page("paper", order_by=order, after=forged))
    id = "00000000-0000-0000-0000-000000000000"
    after = target.run(db.page("paper", order_by=order, after=cursor(mark, text, id), limit=100))
    assert [row["title"] for row in after.items] == sorted(row["title"] for row in PAPERS if row["title"] >= text)
    target.require_unchanged(text)


OF_ANY_TEXT = [
    test_a_value_in_a_filter_is_meant_as_it_is_written,
    test_keys_and_values_of_json_and_items_of_lists_are_meant_as_they_are_written,
    test_relations_ids_and_parameters_find_what_is_written,
    test_what_is_written_is_stored_as_it_is,
    test_a_relation_that_is_not_there_is_refused,
    test_a_cursor_of_somebody_elses_making_is_refused_or_is_a_place_in_the_order,
]


@pytest.mark.slow
@pytest.mark.parametrize("test", OF_ANY_TEXT, ids=lambda test: test.__name__.removeprefix("test_"))
def test_the_same_holds_for_many_more_texts(target, test):
    settings(shared, max_examples=200)(given(text=texts)(test.hypothesis.inner_test))(target=target)


@pytest.mark.slow
def test_many_more_names_are_refused_before_anything_is_sent(target):
    inner = test_a_name_that_the_schema_does_not_know_is_refused_before_anything_is_sent.hypothesis.inner_test
    settings(shared, max_examples=200)(given(name=names)(inner))(target=target)


@pytest.mark.parametrize("text", ["\0", "a\0'; DROP TABLE papers; --", "\ud800", "\ud800'; --"])
def test_text_that_a_database_cannot_hold_is_refused_before_anything_is_sent(target, text):
    db = target.db
    for call in (
        lambda: db.query("paper", {"title": text}),
        lambda: db.query("paper", {"title": [text]}),
        lambda: db.query("paper", {"title": {"like": text}}),
        lambda: db.query("paper", {"data": {"contains": {text: 1}}}),
        lambda: db.query("paper", {"tags": {"contains": text}}),
        lambda: db.get("author", text),
        lambda: db.get("paper", text),
        lambda: db.save("author", {"id": text, "name": "x"}),
        lambda: db.run_query("paper", "titled", {"title": text}),
        lambda: db.run_query("paper", "spelt", {"part": text}),
    ):
        target.refused(call)
    target.require_unchanged(text)
