"""Whatever fails, wherever: the database is as it was, or where a revision that changes rows has left it."""

import shutil
import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa
from soulspot_db import LockedError, MigrationError
from soulspot_db.migrations.runner import migrate, status

from tests.migrations.test_steps import DATA, looking


def dump(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return "\n".join(connection.iterdump())


class Failing:
    """Counts the statements of a run, and raises at one of them."""

    def __init__(self, at=0):
        self.at = at
        self.statements = []

    def __call__(self, _connection, _cursor, statement, *_rest):
        self.statements.append(statement)
        if len(self.statements) == self.at:
            raise OSError("injected")

    def __enter__(self):
        sa.event.listen(sa.Engine, "before_cursor_execute", self)
        return self

    def __exit__(self, *_error):
        sa.event.remove(sa.Engine, "before_cursor_execute", self)


async def fails(settings, folder):
    try:
        await migrate(settings, folder, backup=False)
    except (MigrationError, OSError):
        return
    raise AssertionError("it did not fail")


def numbers(statements, apart):
    """Which of them fail: so far apart, and always those that stand around a COMMIT, and the last."""
    last = len(statements)
    commits = [number for number, text in enumerate(statements, 1) if text == "COMMIT"]
    return sorted({*range(1, last + 1, apart), *commits, *(number + 1 for number in commits if number < last), last})


SHARES = pytest.mark.parametrize("apart", [10, pytest.param(1, marks=pytest.mark.slow)])


@SHARES
async def test_pitfall_13_an_error_at_any_statement_leaves_the_old_database(
    settings, filled, sql, code, tmp_path, apart
):
    sql(
        "CREATE TABLE log (what)",
        "CREATE INDEX by_hand ON tracks (lower(title))",
        "CREATE TRIGGER spy AFTER DELETE ON tracks BEGIN INSERT INTO log VALUES (OLD.title); END",
        "CREATE VIEW titles AS SELECT title FROM tracks",
    )
    filled.add('steps.add_column("albums", sa.Column("cover", ddl.string(), nullable=True))')
    filled.add(code["rebuild_albums"] + code["rebuild_tracks"] + "op.rename_table('tracks', 'songs')")
    kept = tmp_path / "kept.db"
    shutil.copy(settings.database_path, kept)
    before = dump(kept)
    with Failing() as counted:
        await migrate(settings, filled.folder, backup=False)
    assert len(counted.statements) > 60
    for at in numbers(counted.statements, apart):
        shutil.copy(kept, settings.database_path)
        with Failing(at):
            await fails(settings, filled.folder)
        assert dump(settings.database_path) == before, counted.statements[at - 1]


@SHARES
async def test_an_error_at_any_statement_around_a_data_revision_is_mended_by_the_next_run(
    settings, filled, sql, code, tmp_path, apart
):
    filled.add('steps.add_column("albums", sa.Column("cover", ddl.string(), nullable=True))')
    filled.add(DATA, data=True)
    filled.add(code["rebuild_tracks"])
    kept = tmp_path / "kept.db"
    shutil.copy(settings.database_path, kept)
    with Failing() as counted:
        await migrate(settings, filled.folder, backup=False)
    after = dump(settings.database_path)
    seen = set()
    for at in numbers(counted.statements, apart):
        shutil.copy(kept, settings.database_path)
        with Failing(at):
            await fails(settings, filled.folder)
        seen.add((await status(settings, filled.folder)).current)
        await migrate(settings, filled.folder, backup=False)
        assert dump(settings.database_path) == after, counted.statements[at - 1]
    assert seen == set(filled.ids[:3])  # the revisions around the data revision are committed apart from it


async def test_a_failure_after_a_data_revision_says_what_stays(settings, filled, sql):
    data = filled.add("op.execute(\"UPDATE tracks SET title = 'x'\")", data=True)
    last = filled.add("op.execute('nonsense')")
    with pytest.raises(MigrationError, match=f"revision {last} failed: near") as raised:
        await migrate(settings, filled.folder)
    assert f"The database is at revision {data}; what came before is applied and stays." in raised.value.resolution
    assert sql("SELECT DISTINCT title FROM tracks") == [("x",)]


async def test_pitfall_24_25_an_edited_revision_is_named_and_changed_line_ends_are_no_edit(settings, filled, code):
    path = filled.folder / "versions" / "0001_revision.py"
    text = path.read_bytes()
    filled.add(code["rebuild_tracks"])
    path.write_bytes(text.replace(b"\n", b"\r\n"))
    await migrate(settings, filled.folder)
    path.write_bytes(text + b"# better\n")
    for call in (migrate, status):
        with pytest.raises(MigrationError, match=r"versions/0001_revision\.py is not what was recorded"):
            await call(settings, filled.folder)


async def test_pitfall_24_a_missing_and_an_unrecorded_revision_are_named(settings, filled, code):
    filled.add(code["rebuild_tracks"])
    (filled.folder / "versions" / "0002_revision.py").rename(filled.folder / "versions" / "0002_other.py")
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    assert "migrations.sum names 0002_revision.py, which is missing" in raised.value.message
    assert "versions/0002_other.py is not in migrations.sum" in raised.value.message


async def test_rows_that_go_while_tables_change_stop_the_migration(settings, filled, sql):
    filled.add("op.execute('DELETE FROM tracks WHERE id > 1')\nop.rename_table('tracks', 'songs')")
    with pytest.raises(MigrationError, match="rows would be lost that no revision says it loses: 2 of songs"):
        await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM tracks") == [(4,)]


async def test_rows_that_refer_to_nothing_stop_the_migration(settings, filled, sql):
    filled.add("op.execute('UPDATE tracks SET album_id = 77 WHERE id = 1')")
    with pytest.raises(MigrationError, match="rows refer to rows that do not exist: 1 of tracks"):
        await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM tracks WHERE album_id = 77") == [(0,)]


async def test_a_revision_stops_where_it_is_told_to(settings, filled):
    first, second, third = filled.ids[0], filled.add("pass"), filled.add("pass")
    assert (await migrate(settings, filled.folder, to=second[:5])).current == second
    assert (await migrate(settings, filled.folder)).current == third
    assert (await migrate(settings, filled.folder, to=first)).current == first
    with pytest.raises(MigrationError, match="there is no revision ffff"):
        await migrate(settings, filled.folder, to="ffff")


async def test_going_back_runs_the_downgrades_and_up_again_ends_in_the_same_tables(settings, filled, sql):
    filled.add(
        "op.alter_column('tracks', 'title', new_column_name='name')",
        "op.alter_column('tracks', 'name', new_column_name='title')",
    )
    filled.add("op.rename_table('tracks', 'songs')", "op.rename_table('songs', 'tracks')")
    before = sql("SELECT name, sql FROM sqlite_master ORDER BY name")
    await migrate(settings, filled.folder)
    up = sql("SELECT name, sql FROM sqlite_master ORDER BY name")
    state = await migrate(settings, filled.folder, to=filled.ids[0])
    assert state.backup is not None
    assert [name for name, _sql in before] == [
        name for name, _sql in sql("SELECT name, sql FROM sqlite_master ORDER BY name")
    ]
    await migrate(settings, filled.folder)
    assert sql("SELECT name, sql FROM sqlite_master ORDER BY name") == up


async def test_going_back_before_the_first_revision_keeps_an_empty_version(settings, revisions, sql):
    revisions.add("op.create_table('x', sa.Column('id', ddl.integer()), sqlite_strict=True)", "op.drop_table('x')")
    await migrate(settings, revisions.folder)
    assert (await migrate(settings, revisions.folder, to="none")).current is None
    assert (await status(settings, revisions.folder)).pending != ()


async def test_pitfall_31_threads_of_one_process_migrate_in_turn(tmp_path, settings, revisions, code):
    import asyncio

    revisions.add(code["tables"])
    revisions.add(DATA, data=True)
    others = [settings.model_copy(update={"database_path": tmp_path / f"{number % 3}.db"}) for number in range(9)]
    states = await asyncio.gather(*(migrate(other, revisions.folder) for other in others))
    assert {state.current for state in states} == {revisions.ids[-1]}


async def test_a_lock_that_is_lost_in_the_middle_is_an_error_about_the_lock(settings, filled):
    filled.add(DATA, data=True)
    # Between two transactions somebody takes the lock and keeps it.
    other = sqlite3.connect(settings.database_path, isolation_level=None, check_same_thread=False, timeout=0)

    def take(_connection, _cursor, statement, *_rest):
        if statement == "PRAGMA foreign_keys = ON" and not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")

    sa.event.listen(sa.Engine, "before_cursor_execute", take)
    try:
        with pytest.raises(LockedError):
            await migrate(settings.model_copy(update={"pool_timeout": 0.1}), filled.folder)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", take)
        other.close()
    await migrate(settings, filled.folder)


async def test_pitfall_26_two_revisions_after_the_same_one_are_refused_by_name(settings, filled, recorded):
    ours, theirs = filled.add("pass"), filled.add("pass")
    path = filled.folder / "versions" / "0003_revision.py"
    path.write_text(path.read_text().replace(f"down_revision = '{ours}'", f"down_revision = '{filled.ids[0]}'"))
    recorded(filled.folder)
    for call in (migrate, status):
        with pytest.raises(MigrationError, match=f"have none after them: {ours}, {theirs}") as raised:
            await call(settings, filled.folder)
        assert "soulspot-db rebase" in raised.value.resolution


async def test_what_to_do_about_a_revision_that_nobody_recorded_depends_on_where_it_came_from(settings, filled):
    path = filled.folder / "versions" / "0002_mine.py"
    path.write_text("revision = 'x'\n")
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    for way in (
        "came with another branch: soulspot-db rebase",
        "was stopped while it wrote it: soulspot-db generate",
        "`alembic revision` or a person wrote it: take it away",
        "soulspot-db new revision --data NAME",
    ):
        assert way in raised.value.resolution
    assert "version control" not in raised.value.resolution
    path.unlink()
    (filled.folder / "versions" / "0001_revision.py").write_text("")
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    assert "Restore the folder from version control" in raised.value.resolution
    assert "take it away" not in raised.value.resolution


async def test_rows_that_a_later_revision_refuses_are_looked_for_where_that_revision_looked(settings, filled, sql):
    before = filled.add("op.rename_table('tracks', 'songs')")
    select = "SELECT id FROM songs WHERE title IS NULL"
    filled.add(looking(("refuse", "of songs without a title", select)))
    with pytest.raises(MigrationError, match="there is 1 row of songs without a title") as raised:
        await migrate(settings, filled.folder)
    assert f"1. First bring the tables to where they were looked at: soulspot-db migrate --to {before}\n2. Correct" in (
        raised.value.resolution
    )
    await migrate(settings, filled.folder, to=before)
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    assert "--to" not in raised.value.resolution
    assert len(sql(select)) == 1


async def test_an_unresolved_merge_conflict_is_all_that_is_told_and_rebase_all_that_is_advised(settings, filled):
    sums = filled.folder / "migrations.sum"
    sums.write_text(f"<<<<<<< HEAD\n{sums.read_text()}=======\nother\n>>>>>>> main\n")
    for call in (migrate, status):
        with pytest.raises(MigrationError) as raised:
            await call(settings, filled.folder)
        assert raised.value.message == f"{sums} has an unresolved merge conflict at line 1"
        assert raised.value.resolution.startswith("1. Let it be written anew, in the project: soulspot-db rebase")
        assert "\n2." not in raised.value.resolution


async def test_a_revision_may_be_named_by_its_file(settings, filled):
    second, third = filled.add("pass"), filled.add("pass")
    for name in ("0002", "0002_revision", "0002_revision.py"):
        assert (await migrate(settings, filled.folder, to=name, backup=False)).current == second
    await migrate(settings, filled.folder, allow_destructive=["0003"], backup=False)
    assert (await migrate(settings, filled.folder, to="0001", backup=False)).current == filled.ids[0]
    for name in ("3", "0004", "00", f"{third}0"):
        with pytest.raises(MigrationError, match=f"there is no revision {name}"):
            await migrate(settings, filled.folder, to=name)
